"""MPEG audio (MP3, MP2, MP1): frame headers, and the tag that states how many frames follow."""

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
# The sync word, a layer that exists and a bit rate that may be: not what erased memory is full of.
_LIKE_A_HEADER = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff][\x00-\xef]", re.DOTALL)
# No frame of the free format is longer (640 kbit/s at 8 kHz) or shorter, and four must have the same length.
_LONGEST_FREE_FRAME = 5_760
_SHORTEST_FREE_FRAME = 24
_FREE_FRAMES_IN_A_ROW = 4
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits

_HAS_COUNT = 1
# How long each field is that a Xing tag has, by its flag: frames, bytes, table of contents, quality.
_FIELD_BYTES = {_HAS_COUNT: 4, 2: 4, 4: 100, 8: 4}
# LAME's part of the tag, in which the delay and the padding of the encoder have twelve bits each.
_LAME_BYTES = 36
_DELAY_AND_PADDING = slice(21, 24)
_DECODER_DELAY = 529


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
    def kbps(self) -> int:
        """The bit rate that the header states; 0 in the free format."""
        return _BITRATES_KBPS[self.is_mpeg1, self.layer][self.bits >> 12 & 15]

    @property
    def has_checksum(self) -> bool:
        return not self.bits >> 16 & 1

    @property
    def side_bytes(self) -> int:
        """The length of the side information of layer III."""
        return (17 if self.is_mono else 32) if self.is_mpeg1 else (9 if self.is_mono else 17)


def frame_header(bits: int, free_bytes: int = 0) -> FrameHeader | None:
    """Read the 32 header `bits`, or return None when they are no header of a frame with a known length.

    Frames in the free format are `free_bytes` long, without their padding.
    """
    version, layer = bits >> 19 & 3, 4 - (bits >> 17 & 3)
    bitrate, rate, padding = bits >> 12 & 15, bits >> 10 & 3, bits >> 9 & 1
    if bits >> 21 != 0x7FF or version == 1 or layer == 4 or bitrate == 15 or rate == 3:
        return None
    if bitrate == 0 and not free_bytes:
        return None
    is_mpeg1, slot_bytes = version == 3, 4 if layer == 1 else 1
    bits_per_s, rate_hz = 1000 * _BITRATES_KBPS[is_mpeg1, layer][bitrate], _RATES_HZ[version][rate]
    slots = {1: 12, 2: 144, 3: 144 if is_mpeg1 else 72}[layer] * bits_per_s // rate_hz
    num_bytes = (slots + padding) * slot_bytes if bitrate else free_bytes + padding * slot_bytes
    return FrameHeader(bits, is_mpeg1, layer, rate_hz, bits >> 6 & 3 == 3, num_bytes)


def stream_of(bits: int) -> int:
    """Return what the header `bits` of all frames of a stream share, with whether it is mono and in the free format."""
    return bits & SAME_STREAM | (bits >> 6 & 3 == 3) << 1 | (not bits >> 12 & 15)


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

    Of the stream of the header bits `like` two are enough. Fewer are where the file ends.
    """
    while (start := file.search(_LIKE_A_HEADER, 3, start, stop)) >= 0:
        bits = file.uint32(start)
        wanted = 2 if like is not None and stream_of(bits) == stream_of(like) else in_a_row
        if _are_in_a_row(file, start, stream_of(bits), wanted):
            return start
        start += 1
    return -1


def free_frame_bytes(file: FileBytes, offset: int) -> int:
    """Return the length, without padding, of the frames of a stream in the free format at `offset`; 0 for others.

    Nothing states it: it is the distance to the next header.
    """
    head = file.at(offset, _LONGEST_FREE_FRAME + 4)
    if len(head) < 4 or head[2] >> 4 or frame_header(bits := int.from_bytes(head[:4], "big"), 1) is None:
        return 0
    at = head.find(head[:2], 4)
    while 0 <= at <= len(head) - 4 and stream_of(int.from_bytes(head[at : at + 4], "big")) != stream_of(bits):
        at = head.find(head[:2], at + 1)
    return at - (head[2] >> 1 & 1) * (4 if head[1] >> 1 & 3 == 3 else 1) if at >= _SHORTEST_FREE_FRAME else 0


def _are_in_a_row(file: FileBytes, offset: int, stream: int, wanted: int) -> bool:
    free_bytes = free_frame_bytes(file, offset)
    for _ in range(max(wanted, _FREE_FRAMES_IN_A_ROW) if free_bytes else wanted):
        header = frame_header(file.uint32(offset), free_bytes)
        if header is None or stream_of(header.bits) != stream:
            return False
        offset += header.num_bytes
        if offset + 4 > file.size:
            return offset <= file.size
    return True


@dataclass(frozen=True, slots=True)
class StreamTag:
    """`num_frames` that follow, or None where it states none; `lame` is LAME's part, or empty."""

    num_frames: int | None
    lame: bytes = b""

    @property
    def left_out(self) -> int:
        """How many samples decoders leave out at most: the encoder's delay and its padding, and the decoder's delay."""
        both = int.from_bytes(self.lame[_DELAY_AND_PADDING], "big")
        return (both >> 12) + max(both & 0xFFF, _DECODER_DELAY) if self.lame else 0

    @property
    def lame_without_padding(self) -> bytes:
        delay = int.from_bytes(self.lame[_DELAY_AND_PADDING], "big") >> 12 << 12
        return self.lame[:21] + delay.to_bytes(3, "big") + self.lame[24:] if self.lame else b""


def stream_tag(file: FileBytes, offset: int, header: FrameHeader) -> StreamTag | None:
    """Return the tag in the frame at `offset`, which then holds no sound; the frame is not among those it counts."""
    frame = file.at(offset, header.num_bytes)
    if header.layer != 3:
        return None
    at = 4 + header.side_bytes
    if frame[at : at + 4] in (b"Xing", b"Info"):
        flags, at = int.from_bytes(frame[at + 4 : at + 8], "big"), at + 8
        count = int.from_bytes(frame[at : at + 4], "big") if flags & _HAS_COUNT else 0
        at += sum(size for flag, size in _FIELD_BYTES.items() if flags & flag)
        lame = frame[at : at + _LAME_BYTES]
        return StreamTag(count or None, lame if len(lame) == _LAME_BYTES and lame[0] else b"")
    if frame[36:40] == b"VBRI":
        return StreamTag(int.from_bytes(frame[50:54], "big") or None)
    return None


def info_frame(header: FrameHeader, num_frames: int, lame: bytes = b"") -> bytes:
    """Make a silent layer III frame, to stand before a stream like `header`, whose tag promises `num_frames`."""
    return silent_frame(header, b"Info" + _HAS_COUNT.to_bytes(4, "big") + num_frames.to_bytes(4, "big") + lame)


def silent_frame(header: FrameHeader, tag: bytes = b"") -> bytes:
    """Make a frame of silence for a layer III stream like `header`, with a `tag` where tags are."""
    # Bit rate 9 of 14, no padding, no checksum: longer than the tag in every version and at every rate.
    bits = header.bits & ~0xF200 | 9 << 12 | 1 << 16
    written = frame_header(bits)
    assert written is not None
    return (bits.to_bytes(4, "big").ljust(4 + header.side_bytes, b"\0") + tag).ljust(written.num_bytes, b"\0")
