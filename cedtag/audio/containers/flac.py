"""FLAC: how many samples the stream has by its header, and by its last frame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.flac_frame import crc16, frame_header
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
        header = frame_header(tail[at : at + 16])
        if header is not None:
            end = header.begin(stream_block) + header.block_size
            # The checksum of a frame shows that its header is no chance; the expected end is proof enough.
            return end if end == expected or crc16(tail[at:]) == 0 else None
    return None
