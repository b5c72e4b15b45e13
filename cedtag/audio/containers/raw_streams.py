"""Streams of nothing but frames: AAC (ADTS, LOAS), AC-3, DTS, TrueHD. Recorded off the air, they begin anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.containers.file_bytes import FileBytes

_HEADER_BYTES = 16
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_RATES_KHZ = (48, 44.1, 32)


def _adts_bytes(head: bytes) -> int:
    return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5


def _loas_bytes(head: bytes) -> int:
    return ((head[1] & 0x1F) << 8 | head[2]) + 3


def _ac3_bytes(head: bytes) -> int:
    """The length of an AC-3 frame; of an E-AC-3 frame, which has another version, it is stated."""
    version, rate, size = head[5] >> 3, head[4] >> 6, head[4] & 0x3F
    if 10 < version <= 16:
        return 2 * (((head[2] & 7) << 8 | head[3]) + 1)
    if version > 10 or rate == 3 or size >= 2 * len(_AC3_KBPS):
        return 0
    words = int(_AC3_KBPS[size // 2] * 96 / _AC3_RATES_KHZ[rate])
    return 2 * (words + (size % 2 if rate == 1 else 0))


def _dts_bytes(head: bytes) -> int:
    """The length of a DTS frame, in words of 16 bits or of 14 in 16, of either byte order."""
    if head[0] in (0xFE, 0xFF):
        head = bytes(head[place ^ 1] for place in range(len(head)))
    if head[0] == 0x7F:
        return ((head[5] & 3) << 12 | head[6] << 4 | head[7] >> 4) + 1
    bits = 0
    for place in range(0, 10, 2):
        bits = bits << 14 | (head[place] & 0x3F) << 8 | head[place + 1]
    size = (bits >> 10 & 0x3FFF) + 1  # bits 46 to 59 of 70
    return size * 8 // 14 * 2


def _truehd_bytes(head: bytes) -> int:
    return 2 * ((head[0] & 0x0F) << 8 | head[1])


@dataclass(frozen=True, slots=True)
class RawStream:
    """A kind of stream: FFmpeg's name of it, how its frames begin, and how long one is by its header (0: it is none).

    `next_begins` is how all frames but the first begin, where that differs; so many `in_a_row` are no chance.
    """

    demuxer: str
    begins: re.Pattern[bytes]
    frame_bytes: Callable[[bytes], int]
    in_a_row: int = 3
    next_begins: re.Pattern[bytes] | None = None


def _pattern(text: bytes) -> re.Pattern[bytes]:
    return re.compile(text, re.DOTALL)


_STREAMS = (
    RawStream("aac", _pattern(rb"\xff[\xf0\xf1\xf8\xf9]"), _adts_bytes),
    RawStream("loas", _pattern(rb"\x56[\xe0-\xff]"), _loas_bytes, 4),
    RawStream("ac3", _pattern(rb"\x0b\x77"), _ac3_bytes),
    RawStream(
        "dts",
        _pattern(rb"\x7f\xfe\x80\x01|\xfe\x7f\x01\x80|\x1f\xff\xe8\x00\x07[\xf0-\xff]|\xff\x1f\x00\xe8[\xf0-\xff]\x07"),
        _dts_bytes,
    ),
    # One unit in many has a sync word.
    RawStream("truehd", _pattern(rb"....\xf8ro\xba"), _truehd_bytes, 8, _pattern(b"")),
    RawStream("mlp", _pattern(rb"....\xf8ro\xbb"), _truehd_bytes, 8, _pattern(b"")),
)


def find_raw_stream(file: FileBytes, stop: int) -> tuple[str, int] | None:
    """Return FFmpeg's name of the stream whose frames follow one another, and where the first is, before `stop`."""
    found = [(at, stream.demuxer) for stream in _STREAMS if (at := _first_frame(file, stream, stop)) >= 0]
    return None if not found else (min(found)[1], min(found)[0])


def _first_frame(file: FileBytes, stream: RawStream, stop: int) -> int:
    at = 0
    while (at := file.search(stream.begins, _HEADER_BYTES, at, stop)) >= 0:
        if _are_in_a_row(file, stream, at):
            return at
        at += 1
    return -1


def _are_in_a_row(file: FileBytes, stream: RawStream, at: int) -> bool:
    """Whether frames follow one another; as few as two where the file ends with the last one."""
    begins = stream.begins
    for count in range(stream.in_a_row):
        head = file.at(at, _HEADER_BYTES)
        if len(head) < _HEADER_BYTES:
            return count > 1
        size = stream.frame_bytes(head) if begins.match(head) else 0
        if size < 6:
            return False
        at += size
        begins = stream.next_begins or begins
    return True
