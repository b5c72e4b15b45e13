"""MPEG program streams (MPG, VOB): packs and packets, each with a start code and most with a length."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.units import Units, findings_of, walk

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.findings import Findings

_PACK, _END, _FIRST_WITH_LENGTH = 0xBA, 0xB9, 0xBB
_PADDING_BYTES = 2048
_LIKE_A_PACK = re.compile(rb"\x00\x00\x01[\xb9-\xff]")


def inspect_mpeg_ps(file: FileBytes) -> Findings:
    """Walk the packs and packets: none may be cut or damaged."""
    units = Units("MPEG packet", _packet_bytes, _LIKE_A_PACK, 4)
    return findings_of(file, units, walk(file, units, 0, file.size))


def _packet_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, 14)
    if head[:3] != b"\0\0\1" or len(head) < 4:
        return _zeros(file, offset, head)
    code = head[3]
    if code == _END:
        return 4
    if code == _PACK:
        if len(head) < 14:
            return 14
        return 14 + (head[13] & 7) if head[4] >> 6 == 1 else 12  # MPEG-2 may fill up the header, MPEG-1 has none of it
    return 6 + int.from_bytes(head[4:6], "big") if code >= _FIRST_WITH_LENGTH else 0


def _zeros(file: FileBytes, offset: int, head: bytes) -> int:
    """Return how many zeros stand before the next start code: a few fill up sectors."""
    if any(head[:2]):
        return 0
    data = file.peek(offset, _PADDING_BYTES)
    num_zeros = len(data) - len(data.lstrip(b"\0"))
    return num_zeros - 2 if data[num_zeros : num_zeros + 1] == b"\1" else 0


# As walked, but looked for by the packs, which begin with a clock.
PACKS = Units("MPEG packet", _packet_bytes, re.compile(rb"\x00\x00\x01\xba[\x21-\x2f\x44-\x7f]"), 5)
