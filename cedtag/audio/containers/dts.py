"""DTS: frames of a core and of extensions, one after another, in words of 16 or of 14 bits and of either byte order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.units import Units, inspect_units

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

_CORE, _EXTENSION, _CORE_14 = b"\x7f\xfe\x80\x01", b"\x64\x58\x20\x25", b"\x1f\xff\xe8\x00"
_SWAPPED = (b"\xfe\x7f\x01\x80", b"\xff\x1f\x00\xe8")
_SYNC = re.compile(b"|".join(map(re.escape, (_CORE, _EXTENSION, _CORE_14, *_SWAPPED))))
_HEADER_BYTES = 16
_SHORTEST_FRAME, _LONGEST_FRAME = 96, 1 << 15


def inspect_dts(file: FileBytes) -> Findings:
    """Walk the frames: none may be cut or damaged. DTS-HD files, whose frames are inside chunks, are not looked at."""
    first = file.search(_SYNC, 4, 0, min(file.size, _LONGEST_FRAME))
    if first < 0 or file.at(0, 8) == b"DTSHDHDR":
        return Findings()
    return inspect_units(file, DTS)


def _frame_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, _HEADER_BYTES)
    if len(head) < _HEADER_BYTES:
        return 0
    if head[:4] in _SWAPPED:
        head = bytes(head[at ^ 1] for at in range(_HEADER_BYTES))
    if head[:4] == _CORE:
        return _core_bytes(int.from_bytes(head, "big") >> 8 * (_HEADER_BYTES - 8))
    if head[:4] == _CORE_14:
        words = (int.from_bytes(head[at : at + 2], "big") & 0x3FFF for at in range(0, 10, 2))
        bits = sum(word << 14 * (4 - place) for place, word in enumerate(words))
        return 2 * (8 * _core_bytes(bits >> 6) // 14)
    return _extension_bytes(int.from_bytes(head[:10], "big")) if head[:4] == _EXTENSION else 0


def _core_bytes(first_64_bits: int) -> int:
    size = (first_64_bits >> 64 - 60 & 0x3FFF) + 1
    return size if size >= _SHORTEST_FRAME else 0


def _extension_bytes(first_80_bits: int) -> int:
    is_long = first_80_bits >> 80 - 43 & 1
    return (first_80_bits >> 80 - 75 & 0xFFFFF if is_long else first_80_bits >> 80 - 67 & 0xFFFF) + 1


DTS = Units("DTS frame", _frame_bytes, _SYNC, 4)
