"""The one downmix and the one resampler that every decoder's samples go through."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from cedtag.records import LARGEST_SAMPLE, SAMPLE_RATE_HZ

Samples = NDArray[np.float32]

# Floating-point mixes may pass full scale, but not by 24 dB.
_LOUDEST_PEAK = 16.0

# The energies behind `cancellation` need no more than a sample of the frames.
_ENERGY_STRIDE = 16
# Of N channels that have nothing in common the mix has 1/N of their mean energy, and wide stereo music is near that.
# Below a quarter of it (two channels whose correlation is under -0.75) they are much the same, with opposite signs.
_STRONG_CANCELLATION = 0.25


def downmix(frames: Samples) -> Samples:
    """Return the mean of the channels `(n,)` of `frames (n, channels)`; a view of the one channel of mono."""
    # Column by column: `frames.mean(axis=1)` takes forty times as long on interleaved stereo.
    channels = frames.shape[1]
    if channels == 1:
        return frames[:, 0]
    mix: Samples = frames[:, 0] + frames[:, 1]
    for channel in range(2, channels):
        mix += frames[:, channel]
    mix *= np.float32(1 / channels)
    return mix


class MonoStream:
    """Turns `(n, channels)` float32 frames at `rate_hz`, in pieces of any size, into mono at 16 kHz.

    Mono is the mean of the channels, or the one at place `channel`.

    The resampler is soxr's HQ (its default: 20 bit, pass band to 0.91 of the lower Nyquist frequency). Samples that are
    NaN or beyond `LARGEST_SAMPLE` become 0 and are counted, else one of them would spread over a whole window.
    """

    def __init__(self, rate_hz: int, channel: int | None = None) -> None:
        self._channel = channel
        same_rate = rate_hz == SAMPLE_RATE_HZ
        self._resampler = None if same_rate else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
        self.num_frames = 0
        self.num_bad = 0
        self.peak = 0.0
        self._num_channels = 1
        self._mix_energy = 0.0
        self._channel_energy = 0.0

    def push(self, frames: Samples) -> Samples:
        """Take the next frames and return a new `(n,)` array of what they complete, maybe empty."""
        with np.errstate(over="ignore", invalid="ignore"):
            one = self._channel
            mix = downmix(frames) if one is None else np.ascontiguousarray(frames[:, one])
            peak = _peak(mix)
            is_sound = peak <= LARGEST_SAMPLE  # False for NaN
            if not is_sound:
                mix = self._without_bad(mix)
                peak = _peak(mix)
        self.peak = max(self.peak, peak)
        self.num_frames += len(mix)
        if frames.shape[1] > 1 and one is None and is_sound:
            self._note_energies(frames, mix)
        if self._resampler is None:
            return mix.copy() if mix.base is not None else mix
        resampled: Samples = self._resampler.resample_chunk(mix)
        return resampled

    def flush(self) -> Samples:
        """Return the samples that the resampler still holds; nothing may be pushed afterwards."""
        empty = np.zeros(0, np.float32)
        if self._resampler is None:
            return empty
        rest: Samples = self._resampler.resample_chunk(empty, last=True)
        return rest

    @property
    def cancels(self) -> bool:
        """Whether the channels hold sound but their mean is (nearly) silent: stereo in anti-phase."""
        return self._channel_energy > 1e-4 and self._mix_energy < 1e-4 * self._channel_energy

    @property
    def cancels_mostly(self) -> bool:
        """Whether the mean of the channels holds far less than they would leave if they had nothing in common."""
        unrelated = self._channel_energy / self._num_channels
        return self._channel_energy > 1e-4 and self._mix_energy < _STRONG_CANCELLATION * unrelated

    @property
    def is_out_of_scale(self) -> bool:
        """Whether samples are so large that full scale can hardly be 1."""
        return self.peak > _LOUDEST_PEAK

    def _without_bad(self, mix: Samples) -> Samples:
        good = np.abs(mix) <= LARGEST_SAMPLE
        self.num_bad += int(len(mix) - np.count_nonzero(good))
        return np.where(good, mix, np.float32(0))

    def _note_energies(self, frames: Samples, mix: Samples) -> None:
        some, mixed = frames[::_ENERGY_STRIDE], mix[::_ENERGY_STRIDE]
        if not len(some):
            return
        self._num_channels = frames.shape[1]
        channel_energy = sum(map(_energy, some.T)) / frames.shape[1]
        if np.isfinite(channel_energy):
            self._channel_energy += channel_energy
            self._mix_energy += _energy(mixed)


class ChannelStreams:
    """Turns `(n, channels)` frames into `(m, channels)` at 16 kHz, every channel by itself; see `MonoStream`."""

    cancels = cancels_mostly = False

    def __init__(self, rate_hz: int, num_channels: int) -> None:
        self._channels = [MonoStream(rate_hz, place) for place in range(num_channels)]

    def push(self, frames: Samples) -> Samples:
        """Take the next frames and return a new `(m, channels)` array of what they complete."""
        return np.stack([channel.push(frames) for channel in self._channels], axis=1)

    def flush(self) -> Samples:
        """Return the samples that the resamplers still hold."""
        return np.stack([channel.flush() for channel in self._channels], axis=1)

    @property
    def num_frames(self) -> int:
        return self._channels[0].num_frames

    @property
    def num_bad(self) -> int:
        return sum(channel.num_bad for channel in self._channels)

    @property
    def peak(self) -> float:
        return max(channel.peak for channel in self._channels)

    @property
    def is_out_of_scale(self) -> bool:
        return any(channel.is_out_of_scale for channel in self._channels)


def _peak(samples: Samples) -> float:
    """The largest magnitude; NaN where a sample is NaN."""
    return float(max(samples.max(), -samples.min())) if len(samples) else 0.0


def _energy(samples: Samples) -> float:
    """The energy without that of the mean: a constant offset, which many recorders add, is no sound."""
    centred = samples - samples.mean()
    return float(centred @ centred)
