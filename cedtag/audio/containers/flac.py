"""FLAC: what a stream states at its beginning, and where in it sound frames are."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.flac_frame import FrameHeader, crc16, frame_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

_BEGINNING = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22", re.DOTALL)
_FRAME = re.compile(rb"\xff[\xf8\xf9]..", re.DOTALL)
_HEADER_BYTES = 16
_TAIL_BYTES = 1 << 17  # longer than the frames in use, of which the last is looked for here
_LONGEST_FRAME = 1 << 20
# A stream that begins later was recorded from its middle, or is a segment of a longer one.
_LONGEST_LOSS_S = 60


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of frames from `audio` to `stop`; those before it describe it. Samples count from `base`."""

    audio: int
    stop: int
    info: bytes
    block_size: int
    form: tuple[int, int, int]
    base: int

    @property
    def num_samples(self) -> int:
        """How many samples it states; 0 where it states none."""
        return int.from_bytes(self.info[13:18], "big") & (1 << 36) - 1

    def samples(self, header: FrameHeader) -> tuple[int, int]:
        """Return where the samples of a frame begin and end."""
        begin = header.begin(self.block_size) - self.base
        return begin, begin + header.block_size

    def head(self, num_samples: int) -> bytes:
        """Return what a file of a part of it, with `num_samples`, begins with; 0 if that is not known."""
        counted = int.from_bytes(self.info[10:18], "big") >> 36 << 36 | num_samples
        return b"fLaC\x80\x00\x00\x22" + self.info[:10] + counted.to_bytes(8, "big") + bytes(16)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame stands in the file, and where its samples begin and end."""

    offset: int
    stop: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """Sound frames that follow one another; if it `is_open`, perhaps more than those up to `stop` and `end`."""

    offset: int
    stop: int
    begin: int
    end: int
    is_open: bool


def read_stream(file: FileBytes, start: int) -> Stream | None:
    """Return the stream that begins at `start`; None where there is no header, or no frame."""
    head = file.at(start, 42)
    if len(head) < 42 or not _BEGINNING.match(head):
        return None
    audio = _end_of_metadata(file, start)
    for offset, header in _headers(file, audio, file.size, None):
        rate_hz = int.from_bytes(head[18:21], "big") >> 4
        base = header.begin(header.block_size)
        is_cut = offset > audio and base <= _LONGEST_LOSS_S * rate_hz
        return Stream(audio, file.size, head[8:], header.block_size, header.form, 0 if is_cut else base)
    return None


def next_stream(file: FileBytes, start: int) -> int:
    """Return where the next stream begins at or after `start`, or -1."""
    return file.search(_BEGINNING, 8, start, file.size)


def next_run(file: FileBytes, stream: Stream, start: int, done: int, enough: int) -> Run | None:
    """Return the next sound frames at or after `start` with samples after the first `done`.

    It is open where `enough` samples after those are sound, without a look at all that follows.
    """
    first = last = None
    headers = _headers(file, start, stream.stop, stream.form)
    start = next((offset for offset, header in headers if stream.samples(header)[1] > done), stream.stop)
    for frame in sound_frames(file, stream, start):
        if frame.end <= done:
            continue
        if first is None:
            first = frame
        elif last is not None and frame.offset != last.stop:
            break
        last = frame
        if frame.end >= done + enough:
            return Run(first.offset, frame.stop, first.begin, frame.end, is_open=True)
    return None if first is None or last is None else Run(first.offset, last.stop, first.begin, last.end, is_open=False)


def sound_frames(file: FileBytes, stream: Stream, start: int) -> Iterator[Frame]:
    """Yield the frames at or after `start` whose checksums are right."""
    while start < stream.stop:
        for offset, header in _headers(file, start, stream.stop, stream.form):
            frame = _sound_frame(file, stream, offset, header)
            if frame is not None:
                yield frame
                start = frame.stop
                break
        else:
            return


def end_of_last_frame(file: FileBytes, stream: Stream, expected: int) -> int | None:
    """Return where the samples of the last frame end, or None when the stream does not end with a sound frame."""
    start = max(stream.audio, stream.stop - _TAIL_BYTES)
    tail = file.at(start, stream.stop - start)
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        header = frame_header(tail[at : at + _HEADER_BYTES])
        if header is not None and header.form == stream.form:
            end = stream.samples(header)[1]
            # The checksum of a frame shows that its header is no chance; the expected end is proof enough.
            return end if end == expected or crc16(tail[at:]) == 0 else None
    return None


def inspect_flac(file: FileBytes) -> Findings:
    """Check every frame: for FLAC that FFmpeg reads, whose parser leaves out damaged frames without a word."""
    begin, places = 0, 0
    while begin >= 0 and (stream := read_stream(file, begin)) is not None:
        begin = next_stream(file, stream.audio)
        stream = replace(stream, stop=begin if begin >= 0 else file.size)
        at, end = stream.audio, 0
        for frame in sound_frames(file, stream, stream.audio):
            places += frame.offset != at or frame.begin != end
            at, end = frame.stop, frame.end
        places += at != stream.stop
    return Findings((f"places where FLAC frames are damaged or missing: {places}",) if places else ())


def _sound_frame(file: FileBytes, stream: Stream, offset: int, header: FrameHeader) -> Frame | None:
    """Return the frame that begins at `offset` if its checksum is right at the beginning of a later one."""
    begin, end = stream.samples(header)
    limit = min(stream.stop, offset + _LONGEST_FRAME)
    value, at = 0, offset
    for stop, following in _headers(file, offset + 2, limit, stream.form):
        value, at = crc16(file.at(at, stop - at), value), stop
        if value == 0:
            return Frame(offset, stop, begin, end)
        if stream.samples(following)[0] == end:
            return None
    if limit == stream.stop and crc16(file.at(at, limit - at), value) == 0:
        return Frame(offset, limit, begin, end)
    return None


def _headers(
    file: FileBytes, start: int, stop: int, form: tuple[int, int, int] | None
) -> Iterator[tuple[int, FrameHeader]]:
    """Yield what may be frames between two places, by their headers: of any form, or of that one."""
    while (start := file.search(_FRAME, 4, start, stop)) >= 0:
        header = frame_header(file.at(start, _HEADER_BYTES))
        if header is not None and form in (None, header.form):
            yield start, header
        start += 1


def _end_of_metadata(file: FileBytes, start: int) -> int:
    """Return where the blocks before the first frame end; after the first block where the others make no sense."""
    at = start + 4
    is_last = False
    while not is_last:
        head = file.at(at, 4)
        at += 4 + int.from_bytes(head[1:4], "big")
        if len(head) < 4 or at > file.size:
            return start + 42
        is_last = head[0] >= 0x80
    return at
