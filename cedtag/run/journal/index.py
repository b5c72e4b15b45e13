"""What earlier runs have done, in about 60 bytes a recording, so that a million of them fit anywhere."""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from cedtag.records import STATUSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cedtag.records import Source

logger = logging.getLogger(__name__)

_HOUR_US = 3_600_000_000
_FAILED = STATUSES.index("failed")
# Two names in a million share 64 bits once in 40 million archives.
_ENTRY = np.dtype([("key", "<u8"), ("root", "<u8"), ("stamp", "<u8"), ("offset", "<i8"), ("status", "u1")])
_PACKED = struct.Struct("<8s8s8sqB")


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording that is done: where the line that says so begins, and its status.

    `unchanged` says whether its file still has the size and time that it had; `moved`, whether its root is another.
    """

    place: int
    offset: int
    status: str
    unchanged: bool
    moved: bool


class Done:
    """Recordings by their names, or `by_relative` paths; filled by `add`, then read once `sort` was called."""

    def __init__(self, *, by_relative: bool = False) -> None:
        self._by_relative = by_relative
        self._has_shifted = False
        self._packed = bytearray()
        self._entries: NDArray[np.void] = np.zeros(0, _ENTRY)
        self._keys: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._kept: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def add(self, source: Source, status: str, offset: int) -> None:
        """Enter a recording; a later entry replaces an earlier one."""
        self._packed += _PACKED.pack(
            self._key(source), _hash(source.root), _stamp(source), offset, STATUSES.index(status)
        )

    def sort(self) -> None:
        """Make what was added ready to be found."""
        entries = np.frombuffer(self._packed, _ENTRY)
        entries = entries[np.argsort(entries["key"], kind="stable")]
        is_latest = np.ones(len(entries), np.bool_)
        is_latest[:-1] = entries["key"][1:] != entries["key"][:-1]
        self._entries = entries[is_latest]
        self._packed = bytearray()
        self._keys = np.ascontiguousarray(self._entries["key"])
        self._kept = np.zeros(len(self._entries), np.bool_)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, source: Source) -> Entry | None:
        key = np.frombuffer(self._key(source), "<u8")[0]
        place = int(np.searchsorted(self._keys, key))
        if place == len(self._keys) or self._keys[place] != key:
            return None
        _, root, stamp, offset, status = self._entries[place].item()
        return Entry(
            place,
            offset,
            STATUSES[status],
            unchanged=self._is_unchanged(source, stamp),
            moved=root != int.from_bytes(_hash(source.root), "little"),
        )

    def keep(self, entry: Entry) -> None:
        """Note that a recording was met again."""
        self._kept[entry.place] = True

    def gone(self) -> NDArray[np.int64]:
        """The offsets of the recordings with rows that were not met again, in the order they were done."""
        offsets: NDArray[np.int64] = self._entries["offset"][~self._kept & (self._entries["status"] != _FAILED)]
        return np.sort(offsets)

    def offsets(self) -> NDArray[np.int64]:
        """The offsets of all, in the order they were done."""
        return np.sort(self._entries["offset"])

    def _is_unchanged(self, source: Source, stamp: int) -> bool:
        """Whether a file has the size and time that it had, or that time one hour earlier or later.

        FAT keeps local times, so that a change of the clocks moves those of all files by an hour.
        """
        if stamp == int.from_bytes(_stamp(source), "little"):
            return True
        hours = (hour + off for hour in (-_HOUR_US, _HOUR_US) for off in (-1, 0, 1))  # times may have been rounded
        if all(stamp != int.from_bytes(_stamp(source, later_us), "little") for later_us in hours):
            return False
        if not self._has_shifted:
            self._has_shifted = True
            logger.info(
                "%s: its time has changed by exactly one hour and not its size, as after a change of the clocks; "
                "such files count as unchanged",
                source.name,
            )
        return True

    def _key(self, source: Source) -> bytes:
        return _hash(source.relative if self._by_relative else source.name)


def _stamp(source: Source, later_us: int = 0) -> bytes:
    return _hash(f"{source.size} {source.mtime_ns // 1000 + later_us}")


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
