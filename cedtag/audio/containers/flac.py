"""FLAC: how many samples the stream has by its header, and by its last frame."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.mpeg import id3_end

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

_LONGEST_FRAME = 1 << 17
_BEGINNING = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")


def inspect_flac(file: FileBytes, decoded_frames: int, read_to: int) -> Findings:
    """Compare the last frame in the file with what was decoded; look for a second stream.

    The decoder has read the file's bytes up to about `read_to`.
    """
    after_first = max(id3_end(file) + 8, read_to - (1 << 18))
    if file.search(_BEGINNING, 8, after_first, file.size) >= 0:
        return Findings(("another FLAC stream follows the first, and only the first was read",))
    last = _end_of_last_frame(file, decoded_frames)
    if last is not None and last > decoded_frames:
        return Findings((f"decoded {decoded_frames} samples of each channel, but its last frame ends at {last}",))
    return Findings()


def _end_of_last_frame(file: FileBytes, expected: int) -> int | None:
    """Return the sample number at which the last frame ends, or None when the file does not end with a sound frame."""
    stream_block = int.from_bytes(file.at(id3_end(file) + 8, 2), "big")
    start = max(0, file.size - _LONGEST_FRAME)
    tail = file.at(start, _LONGEST_FRAME)
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        end = _frame_end(tail[at : at + 16], stream_block)
        if end is not None:
            # The checksum of a frame shows that its header is no chance; the expected end is proof enough.
            return end if end == expected or _crc16(tail[at:]) == 0 else None
    return None


def _frame_end(header: bytes, stream_block: int) -> int | None:
    """Read a frame header and return the number of the sample after the frame, or None when it is no header."""
    if len(header) < 6 or header[1] & 0xFE != 0xF8 or header[2] >> 4 == 0 or header[2] & 15 == 15 or header[3] & 1:
        return None
    leading_ones = 8 - (header[4] ^ 0xFF).bit_length()  # the frame or sample number is written as UTF-8 writes letters
    if leading_ones in (1, 8):
        return None
    number = header[4] & (0x7F >> leading_ones)
    at = 4 + max(1, leading_ones)
    for byte in header[5:at]:
        number = number << 6 | byte & 0x3F
    size_code = header[2] >> 4
    size_bytes = {6: 1, 7: 2}.get(size_code, 0)
    block = _block_size(size_code, header[at : at + size_bytes])
    at += size_bytes + {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if at >= len(header) or _crc8(header[:at]) != header[at]:
        return None
    counts_samples = header[1] & 1
    return block + (number if counts_samples else number * stream_block)


def _block_size(code: int, stated: bytes) -> int:
    if stated:
        return int.from_bytes(stated, "big") + 1
    if code == 1:
        return 192
    return 576 << code - 2 if code < 6 else 256 << code - 8


@cache
def _crc_table(polynomial: int, bits: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> bits - 1 & 1 else 0)
        table.append(value & (1 << bits) - 1)
    return tuple(table)


def _crc8(data: bytes) -> int:
    table, value = _crc_table(0x07, 8), 0
    for byte in data:
        value = table[value ^ byte]
    return value


def _crc16(data: bytes) -> int:
    table, value = _crc_table(0x8005, 16), 0
    for byte in data:
        value = (value << 8 & 0xFF00) ^ table[value >> 8 ^ byte]
    return value
