"""DTS: frames of a core and of extensions, one after another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.units import Units, inspect_units

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

_CORE, _EXTENSION = b"\x7f\xfe\x80\x01", b"\x64\x58\x20\x25"
_SYNC = re.compile(b"|".join(map(re.escape, (_CORE, _EXTENSION))))
_SHORTEST_FRAME, _LONGEST_FRAME = 96, 1 << 15


def inspect_dts(file: FileBytes) -> Findings:
    """Walk the frames: none may be cut or damaged. Words of 14 bits and swapped bytes are not looked at."""
    if file.search(_SYNC, 4, 0, min(file.size, _LONGEST_FRAME)) < 0:
        return Findings()
    return inspect_units(file, Units("DTS frame", _frame_bytes, _SYNC, 4))


def _frame_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, 10)
    bits = int.from_bytes(head, "big")
    if len(head) < 10:
        return 0
    if head[:4] == _CORE:
        size = (bits >> 80 - 60 & 0x3FFF) + 1
        return size if size >= _SHORTEST_FRAME else 0
    if head[:4] == _EXTENSION:
        is_long = bits >> 80 - 43 & 1
        return (bits >> 80 - 75 & 0xFFFFF if is_long else bits >> 80 - 67 & 0xFFFF) + 1
    return 0
