"""MPEG audio through libsndfile: the frames decide how long it is, wherever they are stored."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cedtag.audio.containers.mpeg import info_frame, silent_frame
from cedtag.audio.containers.mpeg_walk import walk_frames
from cedtag.audio.quiet import c_stderr_discarded
from cedtag.audio.sndfile import SoundFileDecoder
from cedtag.audio.spliced import SplicedFile
from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.audio_file import AudioFile
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.mpeg_walk import Part, Walk
    from cedtag.audio.mono import Samples


class MpegDecoder:
    """The frames of an MPEG stream that begins at or after `start` in a file; joined streams are read one by one."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __init__(self, file: AudioFile, start: int) -> None:
        self._name, self._contents = file.name, file.contents()
        walk = walk_frames(self._contents, start)
        if walk is None:
            raise AudioError(f"{file.name}: has no MPEG audio frame")
        self._parts = iter(walk.parts)
        self._part = self._begin(next(self._parts), walk)
        self.rate_hz, self.channels = self._part.rate_hz, self._part.channels
        is_stated = len(walk.parts) == 1 and walk.tag is not None and bool(walk.tag.lame)
        self.declared_frames = self._part.declared_frames if is_stated else None

    def frames(self) -> Iterator[Samples]:
        """Yield `(n, channels)` float32; each piece is overwritten by the next, which may have another format."""
        yield from _quietly(self._part.frames())
        for part in self._parts:
            self._part.close()
            self._part = self._begin(part)
            self.rate_hz, self.channels = self._part.rate_hz, self._part.channels
            yield from _quietly(self._part.frames())

    def close(self) -> None:
        self._part.close()

    def _begin(self, part: Part, walk: Walk | None = None) -> SoundFileDecoder:
        """Open a part; the first with its `walk`, as libsndfile may be able to read the file itself."""
        with c_stderr_discarded():
            decoder = self._opened(part, walk)
        if part.tag is None or not part.tag.lame or walk is None:
            decoder.declared_frames = part.num_samples
        return decoder

    def _opened(self, part: Part, walk: Walk | None) -> SoundFileDecoder:
        decoder = self._plain(walk) if walk is not None and _is_plain(walk, self._contents) else None
        if decoder is None:
            decoder = SoundFileDecoder(_frames_file(self._contents, part, is_first=walk is not None), self._name)
        return decoder

    def _plain(self, walk: Walk) -> SoundFileDecoder | None:
        """Open the file itself, as reading through Python takes longer; None if the guessed length is too short."""
        # From the descriptor's position on it is read as if the file began there.
        os.lseek(self._contents.fd, self._contents.start + walk.start, os.SEEK_SET)
        decoder = SoundFileDecoder(self._contents.fd, self._name)
        if walk.tag is not None or (decoder.declared_frames or 0) >= walk.num_samples:
            return decoder
        decoder.close()
        return None


def _quietly(pieces: Iterator[Samples]) -> Iterator[Samples]:
    while True:
        with c_stderr_discarded():
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _is_plain(walk: Walk, file: FileBytes) -> bool:
    """Whether all frames follow one another, to the end that the tag states or that the file has."""
    part = walk.parts[0]
    if len(part.spans) != 1:
        return not part.spans
    if part.num_frames == 1:
        return False
    if part.tag is not None:
        return bool(part.tag.lame) and part.tag.num_frames == part.num_frames
    return file.start + part.spans[0][1] == os.fstat(file.fd).st_size


def _frames_file(file: FileBytes, part: Part, *, is_first: bool) -> SplicedFile:
    """The frames of one part, with what makes libsndfile read all of them.

    It stops where a tag states the end. Without a tag it guesses from the length of the first frame and the size of the
    file: of a file whose bit rate varies it then leaves a part unread, up to nearly all of it.
    """
    header, tag = part.header, part.tag
    if is_first and tag is not None and tag.lame:
        num_promised, num_frames = tag.num_frames or 0, part.num_frames
        if num_promised > num_frames + 1:  # the end is missing, and the padding with it
            return SplicedFile(file, info_frame(header, num_promised, tag.lame), part.spans)
        lame = tag.lame if num_promised == num_frames else tag.lame_without_padding
        return SplicedFile(file, info_frame(header, num_frames, lame), part.spans)
    head = b"" if is_first or tag is None else silent_frame(header)
    longest = max(len(head), header.num_bytes, *part.sizes.values())
    spans = part.spans * 2 if part.num_frames == 1 else part.spans  # libmpg123 reads no frame without a second one
    return SplicedFile(file, head, spans, least_size=(part.num_frames + 1) * longest)
