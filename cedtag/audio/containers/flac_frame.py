"""FLAC frames: a header with a checksum, and a checksum over the whole frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The header of one frame, read. `number` is that of the frame, or of its first sample if `counts_samples`.

    `form` is what all frames of a stream share: the codes of rate and sample size, and the number of channels.
    """

    number: int
    counts_samples: bool
    block_size: int
    form: tuple[int, int, int]

    def begin(self, stream_block: int) -> int:
        """Return the number of its first sample in a stream whose blocks have `stream_block` samples."""
        return self.number if self.counts_samples else self.number * stream_block


def frame_header(head: bytes) -> FrameHeader | None:
    """Read the first 16 bytes of a frame, or return None when they are no header of one."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[2] >> 4 == 0 or head[2] & 15 == 15:
        return None
    if head[3] & 1 or head[3] >> 4 > 10:
        return None
    leading_ones = 8 - (head[4] ^ 0xFF).bit_length()  # the number is written as UTF-8 writes letters
    if leading_ones in (1, 8):
        return None
    number = head[4] & (0x7F >> leading_ones)
    at = 4 + max(1, leading_ones)
    for byte in head[5:at]:
        number = number << 6 | byte & 0x3F
    size_code = head[2] >> 4
    size_bytes = {6: 1, 7: 2}.get(size_code, 0)
    block = _block_size(size_code, head[at : at + size_bytes])
    at += size_bytes
    rate_bytes = {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    channels = 2 if head[3] >> 4 >= 8 else (head[3] >> 4) + 1
    form = head[2] & 15, head[3] >> 1 & 7, channels
    at += rate_bytes
    if at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    return FrameHeader(number, bool(head[1] & 1), block, form)


def block_size(head: bytes) -> int:
    """Return how many samples of each channel a frame holds that begins with `head`; 0 where that is no header."""
    header = frame_header(head)
    return 0 if header is None else header.block_size


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


def crc16(data: bytes, value: int = 0) -> int:
    """Return FLAC's checksum of `data`, which follow others with the checksum `value`; 0 for a whole sound frame."""
    table = _crc_table(0x8005, 16)
    for byte in data:
        value = (value << 8 & 0xFF00) ^ table[value >> 8 ^ byte]
    return value
