"""From frame header to frame header through MPEG audio: how many frames there are, and what is between them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cedtag.audio.containers.file_bytes import WINDOW_BYTES
from cedtag.audio.containers.mpeg import (
    FrameHeader,
    StreamTag,
    find_frame,
    frame_header,
    free_frame_bytes,
    id3_end,
    stream_of,
    stream_tag,
)

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

_LYRICS_END = re.compile(b"LYRICS200|LYRICSEND")
# So many frames of another stream must follow one another, or those to the end of the file, to be a part of it.
_FRAMES_OF_A_PART = 4


class FrameSizes(dict[bytes, int]):
    """The length of each frame of one stream by its header's four bytes, of the headers that were `learnt`."""

    def __init__(self, header: FrameHeader, free_bytes: int) -> None:
        self._stream, self._free_bytes = stream_of(header.bits), free_bytes
        self.has_checksums = False

    def learnt(self, head: bytes) -> bool:
        """Add the frames with a header that is new, and return whether it belongs to the stream."""
        bits = int.from_bytes(head, "big")
        header = frame_header(bits, self._free_bytes) if len(head) == 4 and stream_of(bits) == self._stream else None
        if header is None:
            return False
        self.has_checksums |= header.has_checksum
        self[head] = header.num_bytes
        return True

    def frames(self, data: bytes) -> tuple[int, int, int]:
        """Return how many frames follow one another in `data`, where the last one begins, and where it ends."""
        at = last = num_frames = 0
        size_of = self.get
        while True:
            # Millions of frames in a long recording: the loop is one look-up for each.
            while size := size_of(data[at : at + 4]):
                last = at
                at += size
                num_frames += 1
            if not self.learnt(data[at : at + 4]):
                return num_frames, last, at


@dataclass(slots=True)
class Part:
    """Frames of one format: one behind the other in the bytes of `spans`, without the one that holds the `tag`."""

    header: FrameHeader
    sizes: FrameSizes
    tag: StreamTag | None
    num_frames: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)

    @property
    def num_samples(self) -> int:
        return self.num_frames * self.header.num_samples


@dataclass(slots=True)
class Walk:
    """What a walk over all frames has found.

    The frame that holds the first `tag` is not among `num_frames`, later ones are. `junk` is what stands between
    frames: the number of bytes, and the seconds of audio before them. `trailing_bytes` are no frames and no tags.
    """

    start: int
    parts: list[Part] = field(default_factory=list)
    junk: list[tuple[int, float]] = field(default_factory=list)
    trailing_bytes: int = 0
    trailing_zeros: int = 0
    cut: tuple[int, int] | None = None

    @property
    def header(self) -> FrameHeader:
        return self.parts[0].header

    @property
    def tag(self) -> StreamTag | None:
        return self.parts[0].tag

    @property
    def promised_frames(self) -> int | None:
        return None if self.tag is None else self.tag.num_frames

    @property
    def num_frames(self) -> int:
        return sum(part.num_frames for part in self.parts)

    @property
    def num_samples(self) -> int:
        return sum(part.num_samples for part in self.parts)

    @property
    def seconds(self) -> float:
        return sum(part.num_samples / part.header.rate_hz for part in self.parts)

    @property
    def left_out(self) -> int:
        """How many samples of them decoders leave out at most."""
        return self.tag.left_out if self.tag is not None else 0

    @property
    def is_complete(self) -> bool:
        """Whether the tag says so: some encoders count the frame that holds it."""
        promised, there = self.promised_frames, self.num_frames
        is_whole = not (self.junk or self.cut or self.trailing_bytes or self.trailing_zeros)
        return promised is not None and there >= promised - is_whole


def walk_frames(file: FileBytes, start: int) -> Walk | None:
    """Walk all frames from the first at or after `start`, behind tags; None where there is no frame."""
    offset = find_frame(file, max(start, id3_end(file)), file.size)
    if offset < 0:
        return None
    walk = Walk(offset)
    while True:
        offset = _follow(file, _into_part(file, offset, walk), walk)
        if walk.cut is not None or offset >= file.size:
            break
        offset = _tag_end(file, offset)
        found = find_frame(file, offset, file.size, like=walk.parts[-1].header.bits, in_a_row=_FRAMES_OF_A_PART)
        if found < 0:
            _note_trailing(file, offset, walk)
            break
        if found > offset:
            walk.junk.append((found - offset, walk.seconds))
        offset = found
    return walk


def _into_part(file: FileBytes, offset: int, walk: Walk) -> int:
    """Begin a new part if the frame at `offset` is not of the last one; return where its first frame with sound is."""
    if walk.parts and stream_of(file.uint32(offset)) == stream_of(walk.parts[-1].header.bits):
        return offset
    free_bytes = free_frame_bytes(file, offset)
    header = frame_header(file.uint32(offset), free_bytes)
    assert header is not None
    tag = stream_tag(file, offset, header)
    # As other decoders do it: a tag inside the stream is a frame of silence.
    num_frames = int(tag is not None and bool(walk.parts))
    walk.parts.append(Part(header, FrameSizes(header, free_bytes), tag, num_frames))
    return offset if tag is None else min(offset + header.num_bytes, file.size)


def _follow(file: FileBytes, start: int, walk: Walk) -> int:
    """Count frame after frame from `start` in the last part and return where the first thing begins that is none."""
    part, offset = walk.parts[-1], start
    while True:
        data = file.at(offset, WINDOW_BYTES)
        num_frames, last, at = part.sizes.frames(data)
        offset += at
        part.num_frames += num_frames
        if offset > file.size:
            part.num_frames -= 1
            walk.cut = (len(data) - last, at - last)
        if offset >= file.size or at + 4 <= len(data) or not num_frames:
            break
    end = min(offset, file.size)
    if end > start:
        part.spans.append((start, end))
    return end


def _note_trailing(file: FileBytes, offset: int, walk: Walk) -> None:
    if file.is_zero(offset, file.size):
        walk.trailing_zeros = file.size - offset
    else:
        walk.trailing_bytes = file.size - offset


def _tag_end(file: FileBytes, offset: int) -> int:
    """Return where the tags that begin at `offset` end."""
    while True:
        head = file.at(offset, 32)
        if head[:4] == b"TAG+":
            end = offset + 227
        elif head[:3] == b"TAG":
            end = offset + 128
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            end = offset + 32 + int.from_bytes(head[12:16], "little")
        elif head[:3] == b"ID3":
            end = id3_end(file, offset)
        elif head[:11] == b"LYRICSBEGIN":
            found = file.search(_LYRICS_END, 9, offset, file.size)
            end = found + 9 if found >= 0 else offset
        else:
            return offset
        if end <= offset:
            return offset
        offset = min(end, file.size)
