"""AAC as it is streamed: frames with headers of ADTS or LOAS that state their length."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.units import Units, inspect_units

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.findings import Findings

_ADTS = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
_LOAS = re.compile(rb"\x56[\xe0-\xff]")


def inspect_aac(file: FileBytes) -> Findings:
    """Walk the frames: none may be cut or damaged."""
    is_loas = _LOAS.match(file.at(0, 2)) is not None
    size, sync = (_loas_bytes, _LOAS) if is_loas else (_adts_bytes, _ADTS)
    return inspect_units(file, Units("AAC frame", size, sync, 2))


def _adts_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, 7)
    if len(head) < 7 or _ADTS.match(head) is None or head[2] >> 2 & 15 == 15:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else 0


def _loas_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, 3)
    return 3 + ((head[1] & 0x1F) << 8 | head[2]) if len(head) == 3 and _LOAS.match(head) else 0
