"""Which bytes of a file are the recording: taggers write before and behind it, whatever the container is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from cedtag.audio.containers.chunks import LAYOUTS, chunks
from cedtag.audio.containers.identify import Container, identify, is_magic
from cedtag.audio.containers.mpeg import id3_end
from cedtag.audio.containers.mpeg_inside import mpeg_inside

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

# These state how long they are, or mark their end, so that a tag behind them is no part of them in any case. What
# could be taken for a tag there would be samples.
_STATES_ITS_END = frozenset(["wav", "w64", "aiff", "caf", "au", "mp4", "matroska", "asf"])
_MOST_CHUNKS = 1_000
_SYNC_BYTES = (b"\xff", b"\x0b", b"\x7f")  # of MPEG audio, AC-3 and DTS
_NOT_ZERO = re.compile(rb"[^\0]")
# How many zeros are looked through behind a tag: what taggers leave free for later changes.
_MOST_PADDING_BYTES = 1 << 20
_LYRICS_BEGIN = re.compile(b"LYRICSBEGIN")
_LONGEST_LYRICS = 5120  # of version 1, which does not state its length


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` to `stop` of a file; None is its end."""

    start: int = 0
    stop: int | None = None


def identify_span(file: FileBytes) -> tuple[Container | None, Span]:
    """Return the container of `file`, None for an unknown one, and where in the file it stands, without tags around it.

    The `start` of the container counts from that of its span.
    """
    inside = without_leading_tags(file)
    start, container = inside.start, identify(inside)
    if container is not None and (mpeg := mpeg_inside(inside, container.name)) is not None:
        return Container("mp3", promised_bytes=mpeg.promised_bytes), Span(
            start + mpeg.start, mpeg.stop and start + mpeg.stop
        )
    if container is None or container.name in _STATES_ITS_END:
        return container, Span(start)
    stop = start + _end_of_body(inside) if container.name == "8svx" else _begin_of_trailing_tags(file, start)
    return container, Span(start, None if stop == file.size else stop)


def _end_of_body(file: FileBytes) -> int:
    """Return where the sound of 8SVX ends: libsndfile takes all that follows for sound, too."""
    found = (chunk for chunk in islice(chunks(file, LAYOUTS[b"FORM"], 12), _MOST_CHUNKS) if chunk.kind == b"BODY")
    body = next(found, None)
    return file.size if body is None else min(file.size, body.offset + body.size)


def without_leading_tags(file: FileBytes) -> FileBytes:
    """Return what follows the tags at the beginning of `file`."""
    return file.part(_end_of_leading_tags(file))


def _end_of_leading_tags(file: FileBytes) -> int:
    """Return the end of the ID3v2 and APE tags at the beginning, and of their padding where a container follows it."""
    start = end = 0
    while (end := _ape_end(file, id3_end(file, start))) != start:
        start = end
    if start == 0 or is_magic(file.at(start, 64)):
        return start
    padded = file.search(_NOT_ZERO, 1, start, min(file.size, start + _MOST_PADDING_BYTES))
    # A container may begin with up to three zeros itself: MP4, MPEG.
    begins = (at for at in range(max(start, padded - 3), padded + 1) if is_magic(file.at(at, 64)))
    return next(begins, padded if file.at(max(0, padded), 1) in _SYNC_BYTES else start)


def _ape_end(file: FileBytes, offset: int) -> int:
    """Return where the APE tag that begins at `offset` ends; `offset` without one."""
    head = file.at(offset, 32)
    if head[:8] != b"APETAGEX" or len(head) < 32:
        return offset
    end = offset + 32 + int.from_bytes(head[12:16], "little")
    return end if end <= file.size else offset


def _begin_of_trailing_tags(file: FileBytes, start: int) -> int:
    """Return where the tags begin that end the file, one before the other; the end of the file without any."""
    stop = file.size
    while (begin := _begin_of_last_tag(file, stop)) < stop and begin > start:
        stop = begin
    return stop


def _begin_of_last_tag(file: FileBytes, stop: int) -> int:
    """Return where the tag begins that ends at `stop`; `stop` without one."""
    if stop >= 128 and file.at(stop - 128, 3) == b"TAG":
        return stop - 355 if stop >= 355 and file.at(stop - 355, 4) == b"TAG+" else stop - 128
    tail = file.at(max(0, stop - 32), min(stop, 32))
    if tail[:8] == b"APETAGEX":
        has_header = tail[23] & 0x80
        return stop - int.from_bytes(tail[12:16], "little") - (32 if has_header else 0)
    if tail[-10:-7] == b"3DI":  # the footer of an ID3v2 tag
        size = tail[-4] << 21 | tail[-3] << 14 | tail[-2] << 7 | tail[-1]
        return stop - 20 - size
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return stop - 15 - int(tail[-15:-9])
    if tail[-9:] == b"LYRICSEND":
        found = file.search(_LYRICS_BEGIN, 11, max(0, stop - _LONGEST_LYRICS), stop)
        return found if found >= 0 else stop
    return stop
