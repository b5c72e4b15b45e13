"""MPEG audio (MP3, MP2, MP1): frame headers and the tag that states how many frames follow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

# What all frames of one stream share: the sync word, the MPEG version, the layer and the sample rate.
SAME_STREAM = 0xFFFE0C00

_BITRATES_KBPS = {  # by (is MPEG-1, layer); index 0 is the free format, which states no length
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# The sync word, a layer that exists and a bit rate that is stated: not what erased memory is full of.
_LIKE_A_HEADER = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff][\x10-\xef]", re.DOTALL)
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The four header bytes of one frame, read."""

    bits: int
    is_mpeg1: bool
    layer: int
    rate_hz: int
    is_mono: bool
    num_bytes: int

    @property
    def num_samples(self) -> int:
        if self.layer == 1:
            return 384
        return 576 if self.layer == 3 and not self.is_mpeg1 else 1152

    @property
    def tag_offset(self) -> int:
        """Where inside the frame a Xing or Info tag stands: after the header and the empty side information."""
        side = (17 if self.is_mono else 32) if self.is_mpeg1 else (9 if self.is_mono else 17)
        return 4 + side

    @property
    def count_offset(self) -> int:
        """Where inside the frame that tag states the number of frames."""
        return self.tag_offset + 8


def frame_header(bits: int) -> FrameHeader | None:
    """Read the 32 header `bits`, or return None when they are no header of a frame with a stated length."""
    version, layer = bits >> 19 & 3, 4 - (bits >> 17 & 3)
    bitrate, rate, padding = bits >> 12 & 15, bits >> 10 & 3, bits >> 9 & 1
    if bits >> 21 != 0x7FF or version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    is_mpeg1 = version == 3
    bits_per_s, rate_hz = 1000 * _BITRATES_KBPS[is_mpeg1, layer][bitrate], _RATES_HZ[version][rate]
    if layer == 1:
        num_bytes = (12 * bits_per_s // rate_hz + padding) * 4
    else:
        num_bytes = (72 if layer == 3 and not is_mpeg1 else 144) * bits_per_s // rate_hz + padding
    return FrameHeader(bits, is_mpeg1, layer, rate_hz, bits >> 6 & 3 == 3, num_bytes)


def id3_end(file: FileBytes, offset: int = 0) -> int:
    """Return where the ID3v2 tags that begin at `offset` end; `offset` without one."""
    while (head := file.at(offset, 10))[:3] == b"ID3" and len(head) == 10:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        end = offset + 10 + size + (10 if head[5] & 0x10 else 0)
        if end > file.size:  # a lie, or there is nothing but the tag
            break
        offset = end
    return offset


def find_frame(file: FileBytes, start: int, stop: int, *, like: int | None = None, in_a_row: int = 2) -> int:
    """Return the first offset in [start, stop) where `in_a_row` frames of one stream follow one another, or -1.

    `like` are header bits of the stream that they must belong to. Fewer frames are enough where the file ends.
    """
    while (start := file.search(_LIKE_A_HEADER, 3, start, stop)) >= 0:
        if _frames_in_a_row(file, start, like, in_a_row):
            return start
        start += 1
    return -1


def _frames_in_a_row(file: FileBytes, offset: int, like: int | None, wanted: int) -> bool:
    for _ in range(wanted):
        header = frame_header(file.uint32(offset))
        if header is None or (like is not None and (header.bits ^ like) & SAME_STREAM):
            return False
        like = header.bits
        offset += header.num_bytes
        if offset + 4 > file.size:
            return offset <= file.size
    return True


def stated_frames(file: FileBytes, offset: int, header: FrameHeader) -> int | None:
    """Return how many frames a Xing, Info or VBRI tag in the frame at `offset` promises, or None without a tag.

    The frame that holds the tag is not among them.
    """
    frame = file.at(offset, header.num_bytes)
    at = header.tag_offset
    if frame[at : at + 4] in (b"Xing", b"Info"):
        has_count = int.from_bytes(frame[at + 4 : at + 8], "big") & 1
        return int.from_bytes(frame[header.count_offset :][:4], "big") if has_count else None
    if frame[36:40] == b"VBRI":
        return int.from_bytes(frame[50:54], "big")
    return None


def info_frame(header: FrameHeader, num_frames: int) -> bytes:
    """Make a silent layer III frame, to stand before a stream like `header`, whose tag promises `num_frames`."""
    # Bit rate 9 of 14, no padding, no checksum: longer than the tag in every version and at every rate.
    bits = header.bits & ~0xF200 | 9 << 12 | 1 << 16
    written = frame_header(bits)
    assert written is not None
    tag = b"Info" + (1).to_bytes(4, "big") + num_frames.to_bytes(4, "big")
    return (bits.to_bytes(4, "big").ljust(header.tag_offset, b"\0") + tag).ljust(written.num_bytes, b"\0")
