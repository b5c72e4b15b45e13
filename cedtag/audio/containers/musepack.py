"""Musepack: frames with a length in bits (SV7), or packets with a name and a length (SV8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.units import Units, findings_of, walk

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

_SV8_PACKET = re.compile(rb"(?:SH|RG|EI|SO|ST|SE|AP|CT)[\x00-\xff]", re.DOTALL)
_SV7_FIRST_BIT = 28 * 8 - 24  # the first frame begins in the last, 32-bit little-endian, word of the header


def inspect_musepack(file: FileBytes) -> Findings:
    """Walk the frames or packets: none may be cut, damaged or missing."""
    return _inspect_sv8(file) if file.at(0, 4) == b"MPCK" else _inspect_sv7(file)


def _inspect_sv8(file: FileBytes) -> Findings:
    end = 0

    def visit(offset: int, size: int) -> None:
        nonlocal end
        end = offset + size if file.peek(offset, 2) == b"SE" else end

    units = Units("Musepack packet", _packet_bytes, _SV8_PACKET, 3)
    found = walk(file, units, 4, file.size, visit)
    findings = findings_of(file, units, found, is_complete=bool(end))
    if end or found.cut is not None:
        return findings
    return Findings((*findings.problems, "has no packet that ends the stream, so its end may be missing"))


def _packet_bytes(file: FileBytes, offset: int) -> int:
    """Return the length of a packet, which is written seven bits a byte and counts the whole packet."""
    head = file.peek(offset, 12)
    if _SV8_PACKET.match(head) is None:
        return 0
    size = 0
    for place, byte in enumerate(head[2:], 3):
        size = size << 7 | byte & 0x7F
        if byte < 0x80:
            return size if size >= place else 0
    return 0


def _inspect_sv7(file: FileBytes) -> Findings:
    stated, bit = int.from_bytes(file.at(4, 4), "little"), _SV7_FIRST_BIT
    for number in range(stated):
        word = bit // 32 * 4
        words = file.peek(word, 8)
        if len(words) < 4:
            return Findings((f"is cut off: {number} of {stated} frames are there",))
        pair = int.from_bytes(words[:4], "little") << 32 | int.from_bytes(words[4:].ljust(4, b"\0"), "little")
        bit += 20 + (pair >> 44 - bit % 32 & 0xFFFFF)
    if bit // 8 > file.size:
        return Findings(("its last frame is cut off",))
    return Findings()
