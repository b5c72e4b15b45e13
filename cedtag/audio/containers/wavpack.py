"""WavPack: blocks that state their length, the number of their first sample, and how many samples there are in all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.units import Units, findings_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

_HEADER_BYTES = 32
_OPEN = 0xFFFFFFFF
_FIRST_OF_CHANNELS = 1 << 11


class _Samples:
    """The numbers of the samples in the blocks that a walk comes by."""

    def __init__(self, file: FileBytes) -> None:
        self._file = file
        self._total: int | None = None
        self._next: int | None = None
        self._missing = self._places = 0

    def visit(self, offset: int, _size: int) -> None:
        head = self._file.peek(offset, _HEADER_BYTES)
        low_total, low_first, count, flags = (int.from_bytes(head[at : at + 4], "little") for at in (12, 16, 20, 24))
        if not count or not flags & _FIRST_OF_CHANNELS:
            return
        first = head[10] << 32 | low_first
        if self._next is None:
            self._total = None if low_total == _OPEN else (head[11] << 32) + low_total - head[11]
        elif first > self._next:
            self._missing += first - self._next
            self._places += 1
        self._next = first + count

    def problems(self) -> Iterator[str]:
        if self._places:
            yield f"samples that are missing between its blocks: {self._missing}, in {self._places} places"
        if self._total is not None and self._next is not None and self._next < self._total:
            yield f"is cut off: its blocks end at sample {self._next} of {self._total}"


def inspect_wavpack(file: FileBytes) -> Findings:
    """Walk the blocks: none may be cut, damaged or missing."""
    samples = _Samples(file)
    units = Units("WavPack block", _block_bytes, re.compile(b"wvpk"), 4)
    findings = findings_of(file, units, walk(file, units, 0, file.size, samples.visit))
    return Findings((*samples.problems(), *findings.problems), findings.warnings)


def _block_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, _HEADER_BYTES)
    if len(head) < _HEADER_BYTES or head[:4] != b"wvpk" or head[9] != 4:
        return 0
    return 8 + int.from_bytes(head[4:8], "little")
