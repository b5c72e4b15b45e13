"""FLAC files: decoding goes on after damaged frames, with silence in their place, and with the next stream."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio.containers.flac import end_of_last_frame, next_run, next_stream, read_stream
from cedtag.audio.limits import FRAMES_PER_READ
from cedtag.audio.sndfile import SoundFileDecoder
from cedtag.audio.spliced import SplicedFile
from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from cedtag.audio.audio_file import AudioFile
    from cedtag.audio.containers.flac import Run, Stream
    from cedtag.audio.mono import Samples

# How many samples are checked before libsndfile gets all that follows: more than it gives in one call.
_SAMPLES_CHECKED = 16_384
_READ_AHEAD_BYTES = 1 << 18
_LONGEST_GAP_S = 86_400
_MAX_GAPS_NAMED = 3


class FlacDecoder:
    """The frames of all FLAC streams in a file; `rate_hz` and `channels` may change between two pieces."""

    def __init__(self, file: AudioFile) -> None:
        self._name, self._contents = file.name, file.contents()
        is_plain = file.span.stop is None and file.ranged is None
        self._whole = _rewound(file) if is_plain else SplicedFile(self._contents)
        self._decoder = SoundFileDecoder(self._whole, file.name)
        self.rate_hz, self.channels, self.subtype = self._decoder.rate_hz, self._decoder.channels, self._decoder.subtype
        self.declared_frames = self._decoder.declared_frames
        self._problems: list[str] = []
        self._warnings: list[str] = []
        self._gaps: list[tuple[float, float]] = []
        self._begin_s = 0.0  # of the current stream
        self._done = 0  # samples of it
        self._stated: list[int] = []
        self._damage: AudioError | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        if not self._gaps:
            return tuple(self._problems)
        named = ", ".join(f"{length_s:.3g} s at {at_s:.2f} s" for at_s, length_s in self._gaps[:_MAX_GAPS_NAMED])
        more = f" and {len(self._gaps) - _MAX_GAPS_NAMED} more" if len(self._gaps) > _MAX_GAPS_NAMED else ""
        return (f"damaged or missing FLAC frames; silence in their place: {named}{more}", *self._problems)

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    def frames(self) -> Iterator[Samples]:
        """Yield `(n, channels)` float32; an `AudioError` at the end if a stream ends too early."""
        stream = read_stream(self._contents, 0)
        if stream is None:
            yield from self._decoder.frames()
            return
        begin = 0
        while True:
            begin = yield from self._stream(stream, begin)
            if begin < 0:
                break
            stream = read_stream(self._contents, begin)
            if stream is None:
                self._problems.append("another FLAC stream follows, of which nothing can be decoded")
                break
            self._open_next(begin)
        if self._damage is not None:
            raise self._damage

    def close(self) -> None:
        self._decoder.close()

    def _stream(self, stream: Stream, begin: int) -> Generator[Samples, None, int]:
        """Yield a stream and return where the next one begins, or -1."""
        self._done = 0
        damage = yield from self._played()
        search_from = stream.audio if damage is not None or begin else self._read_to(stream)
        following = next_stream(self._contents, search_from)
        if following >= 0:
            stream = replace(stream, stop=following)
        if damage is not None:
            damage = yield from self._resumed(stream, damage)
        yield from self._check_end(stream, damage)
        return following

    def _played(self, skipped: int = 0, wanted: int | None = None) -> Generator[Samples, None, AudioError | None]:
        """Yield what the decoder gives, without the first `skipped` samples and no more than `wanted`."""
        try:
            for decoded in self._decoder.frames():
                piece = decoded[skipped:wanted]
                skipped = max(0, skipped - len(decoded))
                wanted = None if wanted is None else max(0, wanted - len(decoded))
                self._done += len(piece)
                yield piece
        except AudioError as error:
            return error
        return None

    def _resumed(self, stream: Stream, damage: AudioError | None = None) -> Generator[Samples, None, AudioError | None]:
        """Yield what follows damaged frames, run by run, with silence between."""
        position, done_before = stream.audio, -1
        while run := next_run(self._contents, stream, position, self._done, _SAMPLES_CHECKED):
            yield from self._silence(run.begin - self._done)
            skipped = max(0, self._done - run.begin)
            self._decoder.close()
            self._decoder = self._part(stream, run)
            damage = yield from self._played(skipped, None if run.is_open else run.end - run.begin)
            if run.is_open and (damage is None or self._done <= done_before):
                return damage
            position, done_before = run.offset if run.is_open else run.stop, self._done
            if not run.is_open:
                yield from self._silence(run.end - self._done)
        return damage if position < stream.stop else None

    def _part(self, stream: Stream, run: Run) -> SoundFileDecoder:
        stop = stream.stop if run.is_open else run.stop
        left = run.end - run.begin if not run.is_open else max(0, stream.num_samples - run.begin)
        return SoundFileDecoder(SplicedFile(self._contents, stream.head(left), [(run.offset, stop)]), self._name)

    def _silence(self, num_samples: int) -> Iterator[Samples]:
        """Yield zeros in the place of what is missing."""
        if 0 < num_samples <= _LONGEST_GAP_S * self.rate_hz:
            self._gaps.append((self._begin_s + self._done / self.rate_hz, num_samples / self.rate_hz))
            self._done += num_samples
            for start in range(0, num_samples, FRAMES_PER_READ):
                yield np.zeros((min(FRAMES_PER_READ, num_samples - start), self.channels), np.float32)

    def _check_end(self, stream: Stream, damage: AudioError | None) -> Iterator[Samples]:
        """Compare what was decoded with what is stated and what is there; yield samples beyond the stated ones."""
        stated = stream.num_samples
        last = end_of_last_frame(self._contents, stream, self._done)
        if damage is None and stated and last is not None and last > self._done == stated:
            self._warnings.append(
                f"its header states {stated} samples of each channel, but its last frame ends at {last}"
            )
            damage = yield from self._resumed(replace(stream, info=stream.head(0)[8:]))
            stated = last
        elif damage is None and last is not None and last > self._done:
            decoded = f"decoded {self._done} samples of each channel"
            self._problems.append(f"{decoded}, but its last frame ends at {last}")
        elif damage is None and last is None and (stream.base or not stated):
            self._problems.append("its last FLAC frame is cut off or damaged, or something else follows it")
        if damage is not None and (not stated or self._done < stated):
            self._damage = damage
        # A segment states the length of the whole.
        self._stated.append(self._done if stream.base else stated or self._done)
        self.declared_frames = sum(self._stated) if stated or self._damage is None else None
        self._begin_s += self._done / self.rate_hz

    def _open_next(self, begin: int) -> None:
        self._decoder.close()
        source = SplicedFile(self._contents, b"", [(begin, self._contents.size)])
        self._decoder = SoundFileDecoder(source, self._name)
        self.rate_hz, self.channels = self._decoder.rate_hz, self._decoder.channels

    def _read_to(self, stream: Stream) -> int:
        """Return a place behind which the decoder has certainly read up to."""
        if isinstance(self._whole, int):
            at = os.lseek(self._whole, 0, os.SEEK_CUR) - self._contents.start
        else:
            at = self._whole.tell()
        return max(stream.audio, at - _READ_AHEAD_BYTES)


def _rewound(file: AudioFile) -> int:
    """The descriptor of a file at the beginning of its span."""
    os.lseek(file.fd, file.span.start, os.SEEK_SET)
    return file.fd
