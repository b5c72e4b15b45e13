"""AAC as it is streamed: frames with headers of ADTS or LOAS that state their length."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.units import Units, inspect_units

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.findings import Findings

_ADTS_SYNC = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
_LOAS_SYNC = re.compile(rb"\x56[\xe0-\xff]")


def inspect_aac(file: FileBytes) -> Findings:
    """Walk the frames: none may be cut or damaged."""
    return inspect_units(file, LOAS if _LOAS_SYNC.match(file.at(0, 2)) else ADTS)


def _adts_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, 7)
    if len(head) < 7 or _ADTS_SYNC.match(head) is None or head[2] >> 2 & 15 == 15:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else 0


def _loas_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, 3)
    return 3 + ((head[1] & 0x1F) << 8 | head[2]) if len(head) == 3 and _LOAS_SYNC.match(head) else 0


ADTS = Units("AAC frame", _adts_bytes, _ADTS_SYNC, 2)
LOAS = Units("AAC frame", _loas_bytes, _LOAS_SYNC, 2)
