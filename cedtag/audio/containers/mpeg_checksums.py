"""The CRC-16 that some MPEG frames have, of what a decoder needs most: the bit allocation, or the side information."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cedtag.audio.containers.file_bytes import WINDOW_BYTES
from cedtag.audio.containers.mpeg import FrameHeader, frame_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.mpeg_walk import Part

Bytes = NDArray[np.uint8]

_POLYNOMIAL = 0x8005
_CHECKSUM_END = 6
# No frame has more bytes that are checked, with the header and the checksum: layer II with 30 subbands.
_MOST_BYTES = 48
# The bits for the allocation of each subband in layer II, by how many subbands of each width there are.
_ALLOCATIONS = {
    "a": ((11, 4), (12, 3), (4, 2)),
    "b": ((11, 4), (12, 3), (7, 2)),
    "c": ((2, 4), (6, 3)),
    "d": ((2, 4), (10, 3)),
    "lsf": ((4, 4), (7, 3), (19, 2)),
}


def count_bad_checksums(file: FileBytes, part: Part) -> tuple[int, int]:
    """Return how many frames have a wrong checksum, or lack one that their neighbours have; and how many have one."""
    num_bad = num_checked = 0
    for frames in _heads(file, part):
        has_checksum = frames[:, 1] & 1 == 0
        num_bad += int(np.count_nonzero(has_checksum[:-2] & ~has_checksum[1:-1] & has_checksum[2:]))
        checked = frames[has_checksum]
        kinds = checked[:, 2].astype(np.uint16) << 8 | checked[:, 3] & 0xF0
        for kind in np.unique(kinds):
            same = checked[kinds == kind]
            header = frame_header(int.from_bytes(bytes(same[0, :4]), "big"), free_bytes=1)
            if header is not None and (num_bits := _checked_bits(header, same)) is not None:
                stated = same[:, 4].astype(np.uint16) << 8 | same[:, 5]
                body = np.hstack([same[:, 2:4], same[:, _CHECKSUM_END:]])
                num_bad += int(np.count_nonzero(_crc16(body, num_bits) != stated))
                num_checked += len(same)
    return num_bad, num_checked


def _heads(file: FileBytes, part: Part) -> Iterator[Bytes]:
    """Yield the first bytes of frames `(n, _MOST_BYTES)`; zeros follow a frame that is too short."""
    sizes = part.sizes
    for start, stop in part.spans:
        while start < stop:
            data = file.at(start, min(stop - start, WINDOW_BYTES))
            at, offsets = 0, []
            while size := sizes.get(data[at : at + 4]):
                offsets.append(at)
                at += size
            if not offsets:
                break
            start += at
            padded = np.frombuffer(data + bytes(_MOST_BYTES), np.uint8)
            yield padded[np.array(offsets)[:, None] + np.arange(_MOST_BYTES)]


def _checked_bits(header: FrameHeader, frames: Bytes) -> NDArray[np.int64] | None:
    """Return how many bits of each frame are checked, with 16 of the header; None where that is not known."""
    if header.layer == 3:
        return np.full(len(frames), 16 + 8 * header.side_bytes)
    channels = 1 if header.is_mono else 2
    is_joint = header.bits >> 6 & 3 == 1
    first_joint = 4 * ((header.bits >> 4 & 3) + 1) if is_joint else 32
    if header.layer == 1:
        return np.full(len(frames), 16 + 4 * (channels * min(first_joint, 32) + 32 - min(first_joint, 32)))
    if not header.kbps:
        return None
    num_bits = np.full(len(frames), 16)
    bits = np.unpackbits(frames[:, _CHECKSUM_END:], axis=1)
    at = 0
    for subband, width in enumerate(_widths(header, channels)):
        for _ in range(channels if subband < first_joint else 1):
            is_used = bits[:, at : at + width].any(axis=1)
            scales = 2 * (1 if subband < first_joint else channels)  # which scale factors are sent: two bits for each
            num_bits += width + scales * is_used
            at += width
    return num_bits


def _widths(header: FrameHeader, channels: int) -> list[int]:
    kbps = header.kbps // channels
    if not header.is_mpeg1:
        table = "lsf"
    elif (header.rate_hz == 48_000 and kbps >= 56) or 56 <= kbps <= 80:
        table = "a"
    elif header.rate_hz != 48_000 and kbps >= 96:
        table = "b"
    else:
        table = "d" if header.rate_hz == 32_000 else "c"
    return [width for count, width in _ALLOCATIONS[table] for _ in range(count)]


def _crc16(data: Bytes, num_bits: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Return the CRC-16 of the first `num_bits` of each row."""
    table = _table()
    crc = np.full(len(data), 0xFFFF, np.uint16)
    for column in range(int(num_bits.max()) // 8):
        stepped = crc << 8 ^ table[crc >> 8 ^ data[:, column]]
        crc = np.where(num_bits >= 8 * (column + 1), stepped, crc)
    rest = data[np.arange(len(data)), num_bits // 8].astype(np.uint16)
    for bit in range(7):
        top = crc >> 15 ^ rest >> (7 - bit) & 1
        crc = np.where(num_bits % 8 > bit, crc << 1 ^ top * np.uint16(_POLYNOMIAL), crc)
    return crc.astype(np.uint16, copy=False)


@cache
def _table() -> NDArray[np.uint16]:
    table = np.arange(256, dtype=np.uint16) << 8
    for _ in range(8):
        table = table << 1 ^ (table >> 15) * np.uint16(_POLYNOMIAL)
    return table.astype(np.uint16, copy=False)
