"""AC-3 and E-AC-3: frames that state their length, one after another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.units import Units, inspect_units

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.findings import Findings

_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_RATES_HZ = (48_000, 44_100, 32_000)
_LAST_AC3, _LAST_EAC3 = 10, 16  # of the versions that are written into frames


def inspect_ac3(file: FileBytes) -> Findings:
    """Walk the frames: none may be cut or damaged."""
    return inspect_units(file, AC3)


def _frame_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, 6)
    if len(head) < 6 or head[:2] != b"\x0bw":
        return 0
    version, rate, size = head[5] >> 3, head[4] >> 6, head[4] & 63
    if _LAST_AC3 < version <= _LAST_EAC3:
        return 2 * ((head[2] & 7) << 8 | head[3]) + 2
    if version > _LAST_EAC3 or rate == 3 or size // 2 >= len(_KBPS):
        return 0
    words = 96_000 * _KBPS[size // 2] // _RATES_HZ[rate]
    return 2 * (words + (size & 1 if rate == 1 else 0))


AC3 = Units("AC-3 frame", _frame_bytes, re.compile(b"\x0bw"), 2)
