"""From frame header to frame header through an MPEG audio file: how many frames there are, and what is between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cedtag.audio.containers.file_bytes import WINDOW_BYTES
from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.mpeg import SAME_STREAM, FrameHeader, find_frame, frame_header, id3_end, stated_frames

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes


# Decoders leave out the delay and the padding that encoders add.
_SLACK_FRAMES = 5
_LYRICS_END = re.compile(b"LYRICS200")


@dataclass(slots=True)
class Walk:
    """What a walk over all frames has found.

    The frame that holds the tag is not among `num_frames`; `promised_frames` is the number that the tag states.
    """

    start: int
    header: FrameHeader
    promised_frames: int | None
    num_frames: int = 0
    junk_bytes: int = 0
    junk_places: int = 0
    trailing_bytes: int = 0
    cut: tuple[int, int] | None = None

    @property
    def num_samples(self) -> int:
        return self.num_frames * self.header.num_samples


def walk_frames(file: FileBytes, start: int) -> Walk | None:
    """Walk all frames from the first at or after `start`; None where there is no frame."""
    first = find_frame(file, start, file.size)
    header = frame_header(file.uint32(first)) if first >= 0 else None
    if header is None:
        return None
    walk = Walk(first, header, stated_frames(file, first, header))
    offset = first
    while True:
        offset = _follow(file, offset, walk)
        if walk.cut is not None or offset >= file.size:
            break
        offset = _tag_end(file, offset)
        found = find_frame(file, offset, file.size, like=header.bits)
        if found < 0:
            walk.trailing_bytes = 0 if file.is_zero(offset, file.size) else file.size - offset
            break
        walk.junk_bytes += found - offset
        walk.junk_places += found > offset
        offset = found
    if walk.promised_frames is not None:
        walk.num_frames -= 1
    return walk


def inspect_mpeg(file: FileBytes, decoded_samples: int) -> Findings:
    """Compare the frames that are there with those that the tag promises and those decoded; name the other bytes."""
    start = id3_end(file)
    walk = walk_frames(file, start)
    if walk is None:
        return Findings(("has no MPEG audio frame",))
    problems: list[str] = []
    warnings: list[str] = []
    if walk.start > start:
        warnings.append(f"its first {walk.start - start} bytes are no audio, or a cut frame")
    promised = walk.promised_frames
    # Some encoders count the frame that holds the tag, some do not.
    if promised is not None and walk.num_frames < promised - 1:
        problems.append(f"is cut off or damaged: {walk.num_frames} of {promised} MPEG frames are there")
    if decoded_samples + _SLACK_FRAMES * walk.header.num_samples < walk.num_samples:
        problems.append(f"decoded {decoded_samples} of the {walk.num_samples} samples in its MPEG frames")
    if walk.cut is not None:
        problems.append("its last MPEG frame is cut off ({} of {} bytes are there)".format(*walk.cut))
    if walk.junk_bytes:
        problems.append(f"{walk.junk_bytes} bytes in {walk.junk_places} places between its MPEG frames are no audio")
    if walk.trailing_bytes and find_frame(file, file.size - walk.trailing_bytes, file.size, in_a_row=4) >= 0:
        problems.append(
            f"its last {walk.trailing_bytes} bytes are a recording in another MPEG format and were not read"
        )
    elif walk.trailing_bytes:
        trailing = f"{walk.trailing_bytes} bytes after the audio are something else"
        is_complete = promised is not None and walk.num_frames >= promised - 1
        (warnings if is_complete else problems).append(trailing)
    return Findings(tuple(problems), tuple(warnings))


def _follow(file: FileBytes, offset: int, walk: Walk) -> int:
    """Count frame after frame from `offset` and return where the first thing begins that is no frame."""
    sizes = _frame_sizes(walk.header.bits & SAME_STREAM)
    while True:
        data = file.at(offset, WINDOW_BYTES)
        at = last = num_frames = 0
        # Millions of frames in a long recording: the loop is one look-up for each.
        while size := sizes.get(data[at : at + 3]):
            last = size
            at += size
            num_frames += 1
        offset += at
        walk.num_frames += num_frames
        if offset > file.size:
            walk.num_frames -= 1
            walk.cut = (last - (offset - file.size), last)
        if offset >= file.size or at + 3 <= len(data) or not num_frames:
            return offset


@cache
def _frame_sizes(same_stream: int) -> dict[bytes, int]:
    """Return the length of a frame by the first three bytes of its header, for all headers of one stream."""
    sizes = {}
    for free in range(1 << 7):  # the bits that may differ: checksum, bit rate, padding and the private bit
        bits = same_stream | (free >> 6) << 16 | (free >> 2 & 15) << 12 | (free & 3) << 8
        header = frame_header(bits)
        if header is not None:
            sizes[bits.to_bytes(4, "big")[:3]] = header.num_bytes
    return sizes


def _tag_end(file: FileBytes, offset: int) -> int:
    """Return where the tags that begin at `offset` end."""
    while True:
        head = file.at(offset, 32)
        if head[:3] == b"TAG":
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
