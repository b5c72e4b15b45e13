"""What earlier runs have done, in about 100 bytes a recording, so that a million of them fit anywhere."""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from cedtag.records import MISSING, STATUSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cedtag.records import Source

logger = logging.getLogger(__name__)

_HOUR_US = 3_600_000_000
_FAILED = STATUSES.index("failed")
_MOVED_AWAY = -1  # the offset of a recording that is now in another place
# Two names in a million share 64 bits once in 40 million archives.
_ENTRY = np.dtype(
    [
        ("key", "<u8"),
        ("name", "<u8"),
        ("root", "<u8"),
        ("stamp", "<u8"),
        ("offset", "<i8"),
        ("status", "u1"),
        ("has_place", "?"),
        ("can_retry", "?"),
        ("lacks_package", "?"),
    ]
)
_PACKED = struct.Struct("<8s8s8s8sqB???")


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording that is done: where the line that says so begins, and its status.

    `unchanged` says whether its file still has the size and time that it had; `moved`, whether its root is another;
    `renamed`, whether it was written under another name; `has_place`, whether its absolute path is known; `can_retry`,
    whether it failed or was cut short by a cause that can pass; `lacks_package`, whether it failed because a package
    was not installed.
    """

    place: int
    offset: int
    status: str
    unchanged: bool
    moved: bool
    renamed: bool
    has_place: bool
    can_retry: bool
    lacks_package: bool


class Done:
    """Recordings by their absolute paths, and by the names of their results: `source.name`, or `by_relative` paths.

    Where the absolute path is not known (standard input, older journals), the name stands for it. Filled by `add`,
    then read once `sort` was called.
    """

    def __init__(self, *, by_relative: bool = False) -> None:
        self.by_relative = by_relative
        self._has_shifted = False
        self._packed = bytearray()
        self._entries: NDArray[np.void] = np.zeros(0, _ENTRY)
        self._keys: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._names: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._by_name: NDArray[np.intp] = np.zeros(0, np.intp)
        self._kept: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def add(
        self, source: Source, status: str, offset: int, was: str | None = None, *, cause: str = "", stage: str = ""
    ) -> None:
        """Enter a recording; a later entry replaces an earlier one, and that of the place where it `was`."""
        names = _hash(self._name(source)), _hash(source.root), _stamp(source)
        flags = STATUSES.index(status), bool(source.at), status == "failed" or bool(cause), stage == MISSING
        self._packed += _PACKED.pack(_hash(self.place_of(source)), *names, offset, *flags)
        if was is not None:
            self._packed += _PACKED.pack(_hash(was), *names, _MOVED_AWAY, *flags)

    def sort(self) -> None:
        """Make what was added ready to be found."""
        entries = np.frombuffer(self._packed, _ENTRY)
        entries = entries[np.argsort(entries["key"], kind="stable")]
        is_latest = np.ones(len(entries), np.bool_)
        is_latest[:-1] = entries["key"][1:] != entries["key"][:-1]
        self._entries = entries[is_latest & (entries["offset"] != _MOVED_AWAY)]
        self._packed = bytearray()
        self._keys = np.ascontiguousarray(self._entries["key"])
        # Of several recordings of one name the latest that has results comes last.
        has_results = self._entries["status"] != _FAILED
        self._by_name = np.lexsort((self._entries["offset"], has_results, self._entries["name"]))
        self._names = self._entries["name"][self._by_name]
        self._kept = np.zeros(len(self._entries), np.bool_)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, source: Source) -> Entry | None:
        """The entry of the place where a recording is."""
        key = np.frombuffer(_hash(self.place_of(source)), "<u8")[0]
        place = int(np.searchsorted(self._keys, key))
        if place == len(self._keys) or self._keys[place] != key:
            return None
        return self._entry(place, source)

    def find_name(self, source: Source) -> Entry | None:
        """The latest entry whose results have the name that those of this recording get."""
        name = np.frombuffer(_hash(self._name(source)), "<u8")[0]
        rank = int(np.searchsorted(self._names, name, "right")) - 1
        if rank < 0 or self._names[rank] != name:
            return None
        return self._entry(int(self._by_name[rank]), source)

    def place_of(self, source: Source) -> str:
        """The identity of a recording: its absolute path, or its name where that is not known."""
        return source.at or self._name(source)

    def _entry(self, place: int, source: Source) -> Entry:
        _, name, root, stamp, offset, status, has_place, can_retry, lacks_package = self._entries[place].item()
        moved = root != int.from_bytes(_hash(source.root), "little")
        return Entry(
            place,
            offset,
            STATUSES[status],
            unchanged=self._is_unchanged(source, stamp),
            moved=moved,
            renamed=moved or name != int.from_bytes(_hash(self._name(source)), "little"),
            has_place=has_place,
            can_retry=can_retry,
            lacks_package=lacks_package,
        )

    def keep(self, entry: Entry) -> None:
        """Note that a recording was met again."""
        self._kept[entry.place] = True

    def gone(self, *, failed: bool = False) -> NDArray[np.int64]:
        """The offsets of the recordings with rows, or that `failed`, that were not met again, in the order of these."""
        has_failed = self._entries["status"] == _FAILED
        offsets: NDArray[np.int64] = self._entries["offset"][~self._kept & (has_failed == failed)]
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

    def _name(self, source: Source) -> str:
        return source.relative if self.by_relative else source.name


def _stamp(source: Source, later_us: int = 0) -> bytes:
    return _hash(f"{source.size} {source.mtime_ns // 1000 + later_us}")


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
