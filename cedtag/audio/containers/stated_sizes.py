"""Formats whose header states how long they are, and that decoders read as far as they go."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.chunks import Layout, chunks
from cedtag.audio.containers.findings import Findings

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

_TTA_HEADER_BYTES = 22
_APE_WITH_SIZES = 3980
_NIST_FIELD = re.compile(rb"^(\w+) -i (\d+)", re.MULTILINE)
_IFF = Layout(12, b"BODY", "big")
_LONGEST_HEADER = 1 << 16
_LAST_VOC_BLOCK = 9


def inspect_tta(file: FileBytes) -> Findings:
    """Compare the table of frames with what is there."""
    rate_hz, num_samples = (int.from_bytes(file.at(at, 4), "little") for at in (10, 14))
    frame_samples = 256 * rate_hz // 245
    num_frames = -(-num_samples // frame_samples) if frame_samples else 0
    start = _TTA_HEADER_BYTES + 4 * num_frames + 4
    return _compared(file, start + _sum(file, _TTA_HEADER_BYTES, num_frames))


def inspect_ape(file: FileBytes) -> Findings:
    """Compare the sizes of the parts that the header states with what is there; before version 3.98 it stated none."""
    if int.from_bytes(file.at(4, 2), "little") < _APE_WITH_SIZES:
        return Findings()
    return _compared(file, _sum(file, 8, 5) + (_sum(file, 28, 1) << 32) + _sum(file, 32, 1))


def inspect_dsf(file: FileBytes) -> Findings:
    """Compare the size that the header states with that of the file."""
    return _compared(file, int.from_bytes(file.at(12, 8), "little"))


def inspect_dff(file: FileBytes) -> Findings:
    """Compare the size that the header states with that of the file."""
    return _compared(file, 12 + int.from_bytes(file.at(4, 8), "big"))


def inspect_nist(file: FileBytes) -> Findings:
    """Compare the number of samples that the header states with what is there."""
    header_bytes = int(file.at(8, 8).strip() or b"0") if file.at(8, 8).strip().isdigit() else 0
    fields = {name: int(value) for name, value in _NIST_FIELD.findall(file.at(0, min(header_bytes, _LONGEST_HEADER)))}
    frame_bytes = fields.get(b"channel_count", 1) * fields.get(b"sample_n_bytes", 1)
    return _compared(file, header_bytes + fields.get(b"sample_count", 0) * frame_bytes)


def inspect_wve(file: FileBytes) -> Findings:
    """Compare the number of samples that the header states with what is there."""
    return _compared(file, 32 + file.uint32(18))


def inspect_avr(file: FileBytes) -> Findings:
    """Compare the number of frames that the header states with what is there."""
    num_channels = 2 if any(file.at(12, 2)) else 1
    bits = int.from_bytes(file.at(14, 2), "big")
    return _compared(file, 128 + file.uint32(26) * num_channels * bits // 8)


def inspect_iff(file: FileBytes) -> Findings:
    """Compare the sizes of the chunks with what is there."""
    return _compared(file, max((chunk.offset + chunk.size for chunk in chunks(file, _IFF, 12)), default=0))


def inspect_voc(file: FileBytes) -> Findings:
    """Compare the sizes of the blocks with what is there, as far as they follow one another.

    SoX writes one block, however long, and only the last 24 bits of its size.
    """
    offset = end = int.from_bytes(file.at(20, 2), "little")
    while offset < file.size:
        head = file.peek(offset, 4)
        size = int.from_bytes(head[1:], "little")
        if not 0 < head[0] <= _LAST_VOC_BLOCK or not size:
            break
        offset = end = offset + 4 + size
    return _compared(file, end)


def _compared(file: FileBytes, stated: int) -> Findings:
    if stated > file.size:
        return Findings((f"is cut off: {file.size} of {stated} bytes are there",))
    return Findings()


def _sum(file: FileBytes, start: int, count: int) -> int:
    """Add up `count` little-endian numbers of 32 bits; those behind the file's end count as zeros."""
    stop = min(start + 4 * count, file.size)
    return sum(int.from_bytes(file.at(at, 4), "little") for at in range(start, stop, 4))
