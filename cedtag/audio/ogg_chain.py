"""Ogg files: one recording after the other, and silence for missing pages, so that what follows keeps its time."""

from __future__ import annotations

import os
from itertools import chain as chained
from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio.containers.ogg import read_chain
from cedtag.audio.containers.ogg_codecs import without_delay
from cedtag.audio.containers.ogg_pages import paged
from cedtag.audio.containers.span import Span
from cedtag.audio.limits import FRAMES_PER_READ
from cedtag.audio.sndfile import SoundFileDecoder
from cedtag.audio.spliced import SplicedFile
from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.audio_file import AudioFile
    from cedtag.audio.containers.identify import Container
    from cedtag.audio.containers.ogg_link import Link, Place
    from cedtag.audio.in_process import Decoder
    from cedtag.audio.mono import Samples


class OggDecoder:
    """The frames of all recordings in an Ogg file; `rate_hz` and `channels` may change between two pieces."""

    def __init__(self, file: AudioFile, container: Container) -> None:
        self._file, self._demuxer = file, container.demuxer
        self._contents = file.contents()
        self._chain = read_chain(self._contents)
        self._problems: list[str] = []
        self._decoder = self._whole() if self._is_whole() else None
        self.declared_frames = None if self._decoder is None else self._decoder.declared_frames
        if self._decoder is not None:
            self.rate_hz, self.channels = self._decoder.rate_hz, self._decoder.channels
            self._pieces = self._decoder.frames()
        else:
            pieces = self._linked()
            first = next(pieces, None)
            if first is None:
                raise AudioError("; ".join([f"{file.name}: holds no audio", *self.problems]))
            self._pieces = chained([first], pieces)

    @property
    def problems(self) -> tuple[str, ...]:
        inner = self._decoder.problems if self._decoder is not None else ()
        return (*inner, *self._chain.problems(), *self._problems)

    @property
    def warnings(self) -> tuple[str, ...]:
        inner = self._decoder.warnings if self._decoder is not None else ()
        return (*inner, *self._chain.warnings())

    def frames(self) -> Iterator[Samples]:
        """Yield `(n, channels)` float32."""
        return self._pieces

    def close(self) -> None:
        if self._decoder is not None:
            self._decoder.close()

    def _is_whole(self) -> bool:
        """Whether the decoder of the first recording reads the file by itself, and rightly."""
        if not (self._chain.is_plain and self._chain.is_separable):
            return not self._chain.is_separable
        (group,) = self._chain.groups
        (link,) = group.links
        if link.name == "Vorbis":  # libsndfile leaves out the sound on the page that ends the headers
            return len(group.streams) == 1 and not link.runs[0].first_page
        return not link.has_empty_end

    def _whole(self) -> Decoder:
        if self._demuxer is None:
            self._file.selection.check_single_track(self._file.name)
            os.lseek(self._file.fd, 0, os.SEEK_SET)
            is_file = self._file.span == Span()
            return SoundFileDecoder(self._file.fd if is_file else SplicedFile(self._contents), self._file.name)
        from cedtag.audio.pyav import AvDecoder

        return AvDecoder(self._file, self._demuxer)

    def _linked(self) -> Iterator[Samples]:
        for link in self._chain.links:
            for place in link.places():
                yield from self._placed(link, place)

    def _placed(self, link: Link, place: Place) -> Iterator[Samples]:
        """Yield what a run gives, at its place: after silence for what is missing, without what was there already."""
        try:
            self._decoder = decoder = self._open(link, place)
        except AudioError as error:
            self._note(error)
            return
        self.rate_hz, self.channels = decoder.rate_hz, decoder.channels
        yield from self._silence(place.start - place.after)
        skipped, left = max(0, place.after - place.start), place.stop - max(place.start, place.after)
        try:
            for piece in decoder.frames():
                wanted = piece[skipped : skipped + left]
                skipped = max(0, skipped - len(piece))
                left -= len(wanted)
                yield wanted
        except AudioError as error:
            self._note(error)
        if left > 0:
            self._problems.append(f"samples of its {link.name} stream that were not decoded, read as silence: {left}")
            yield from self._silence(left)
        self._problems += decoder.problems
        self._decoder = None
        decoder.close()

    def _open(self, link: Link, place: Place) -> Decoder:
        run, headers = place.run, link.headers
        head = paged(headers if place.is_beginning else without_delay(link.name, headers), link.serial)
        source = SplicedFile(self._contents, head + run.first_page, run.extents)
        if link.name == "Vorbis":
            return SoundFileDecoder(source, self._file.name)
        if self._demuxer is None:
            raise AudioError(f"{self._file.name}: its {link.name} recording between others was not read")
        from cedtag.audio.pyav import AvDecoder

        return AvDecoder(self._file, self._demuxer, source)

    def _silence(self, num_frames: int) -> Iterator[Samples]:
        for start in range(0, num_frames, FRAMES_PER_READ):
            yield np.zeros((min(FRAMES_PER_READ, num_frames - start), self.channels), np.float32)

    def _note(self, error: AudioError) -> None:
        self._problems.append(str(error).removeprefix(f"{self._file.name}: "))
