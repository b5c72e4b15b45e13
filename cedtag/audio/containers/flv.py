"""FLV: tags of sound, pictures and data, each with its time, and each followed by its length."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from cedtag.audio.containers.units import Units, findings_of, walk

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.findings import Findings

_HEADER_BYTES = 11
_KINDS = (8, 9, 18)
_LIKE_A_TAG = re.compile(rb"[\x08\x09\x12][\x00-\xff]{7}\x00\x00\x00", re.DOTALL)


def inspect_flv(file: FileBytes) -> Findings:
    """Walk the tags: none may be cut or damaged."""
    start = file.uint32(5) + 4
    times = _Times(file)
    units = Units("FLV tag", _tag_bytes, _LIKE_A_TAG, _HEADER_BYTES)
    return findings_of(file, units, walk(file, units, start, file.size, times.visit), times.when)


class _Times:
    """The times of the tags around the holes of a walk."""

    def __init__(self, file: FileBytes) -> None:
        self._file = file
        self._end = 0
        self._time_s = 0.0
        self._holes: list[int] = []
        self._around: list[tuple[float, float]] = []

    def visit(self, offset: int, size: int) -> None:
        head = self._file.peek(offset, 8)
        time_s = int.from_bytes(head[7:8] + head[4:7], "big") / 1000
        if offset > self._end > 0:
            self._holes.append(self._end)
            self._around.append((self._time_s, time_s))
        self._end, self._time_s = offset + size, time_s

    def when(self, offset: int) -> str:
        place = bisect_right(self._holes, offset) - 1
        if place < 0 or offset >= self._end:
            return f"after {self._time_s:.2f} s"
        return "between {:.2f} and {:.2f} s".format(*self._around[place])


def _tag_bytes(file: FileBytes, offset: int) -> int:
    """Return the length of a tag and of the number behind it, which repeats it; some writers leave that open."""
    head = file.peek(offset, _HEADER_BYTES)
    if len(head) < _HEADER_BYTES or head[0] & 0x1F not in _KINDS or head[8:11] != b"\0\0\0":
        return 0
    size = _HEADER_BYTES + int.from_bytes(head[1:4], "big")
    behind = file.peek(offset + size, 4)
    if not behind:
        return size
    repeated = int.from_bytes(behind, "big")
    return size + 4 if len(behind) < 4 or repeated in (0, size, size - _HEADER_BYTES) else 0
