"""Recordings whose sampling rate or number of channels changes on the way: joined files, chains of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from cedtag.audio.bugs import bugs_reported
from cedtag.audio.limits import check_limits
from cedtag.audio.mono import ChannelStreams, MonoStream, downmix
from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.in_process import Decoder
    from cedtag.audio.mono import Samples
    from cedtag.audio.selection import Selection


class Parts:
    """Turns frames into 16 kHz mono, or every channel by itself: each part of one format through its own resampler.

    What it counts is counted over all parts.
    """

    def __init__(self, name: str, selection: Selection, rate_hz: int, channels: int) -> None:
        """AudioError where the selected channel is not there."""
        self._name, self._selection = name, selection
        self.num_samples = 0  # that were returned
        self._format = rate_hz, channels
        self._streams = [self._stream(name, rate_hz, channels)]

    def push(self, frames: Samples, rate_hz: int) -> Samples:
        """Take the next frames `(n, channels)` and return a new array of what they complete.

        AudioError where they begin a part that lacks the selected channel.
        """
        form = rate_hz, frames.shape[1]
        if form == self._format:
            samples = self._streams[-1].push(frames)
            self.num_samples += len(samples)
            return samples
        stream = self._next_stream(*form)
        rest = self.flush()
        self._format = form
        self._streams.append(stream)
        return np.concatenate([rest, self._counted(stream.push(frames))])

    def flush(self) -> Samples:
        """Return the samples that the resampler still holds."""
        return self._counted(self._streams[-1].flush())

    def _counted(self, samples: Samples) -> Samples:
        self.num_samples += len(samples)
        return samples

    @property
    def num_frames(self) -> int:
        return sum(stream.num_frames for stream in self._streams)

    @property
    def num_bad(self) -> int:
        return sum(stream.num_bad for stream in self._streams)

    @property
    def peak(self) -> float:
        return max(stream.peak for stream in self._streams)

    @property
    def is_out_of_scale(self) -> bool:
        return any(stream.is_out_of_scale for stream in self._streams)

    @property
    def cancels(self) -> bool:
        return any(stream.cancels for stream in self._streams)

    @property
    def cancels_mostly(self) -> bool:
        return any(stream.cancels_mostly for stream in self._streams)

    def _next_stream(self, rate_hz: int, channels: int) -> MonoStream | ChannelStreams:
        check_limits(self._name, rate_hz, channels)
        if self._selection.is_each and channels != self._format[1]:
            change = f"changes from {self._format[1]} to {channels} channels"
            raise AudioError(f"{self._name}: {change}, and as each is scored by itself, the rest was not read")
        return self._stream(f"{self._name}: its next part", rate_hz, channels)

    def _stream(self, name: str, rate_hz: int, channels: int) -> MonoStream | ChannelStreams:
        if self._selection.is_each:
            return ChannelStreams(rate_hz, channels)
        return MonoStream(rate_hz, self._selection.channel_of(name, channels))


class SteadyDecoder:
    """A decoder whose frames all have the format of its first ones: those of other parts are converted.

    Where the number of channels changes, each one becomes the mean of them all.
    """

    def __init__(self, decoder: Decoder, name: str) -> None:
        self._decoder, self._name = decoder, name
        self.rate_hz, self.channels = decoder.rate_hz, decoder.channels
        self.declared_frames = decoder.declared_frames
        self.subtype: str = getattr(decoder, "subtype", "")  # libsndfile's name for how samples are stored

    @property
    def problems(self) -> tuple[str, ...]:
        return self._decoder.problems

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._decoder.warnings

    def frames(self) -> Iterator[Samples]:
        """Yield `(n, channels)` float32; each piece may be overwritten by the next."""
        with bugs_reported(self._name):
            yield from self._converted()

    def close(self) -> None:
        self._decoder.close()

    def _converted(self) -> Iterator[Samples]:
        rate_hz, resampler = self.rate_hz, None
        empty = np.zeros((0, self.channels), np.float32)
        for frames in self._decoder.frames():
            if self._decoder.rate_hz != rate_hz:
                if resampler is not None:
                    yield resampler.resample_chunk(empty, last=True)
                rate_hz = self._decoder.rate_hz
                is_first = rate_hz == self.rate_hz
                resampler = None if is_first else soxr.ResampleStream(rate_hz, self.rate_hz, self.channels, "float32")
            if frames.shape[1] != self.channels:
                frames = np.tile(downmix(frames)[:, None], self.channels)
            yield frames if resampler is None else resampler.resample_chunk(frames)
        if resampler is not None:
            yield resampler.resample_chunk(empty, last=True)
