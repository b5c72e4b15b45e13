"""The one downmix and the one resampler that every decoder's samples go through."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from cedtag.records import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]

# For the energies behind `cancels`, one frame of so many is enough.
_ENERGY_STRIDE = 16


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

    The resampler is soxr's HQ (its default: 20 bit, pass band to 0.91 of the lower Nyquist frequency). NaN and
    infinite samples become 0 and are counted, as one of them would spread over a whole window.
    """

    def __init__(self, rate_hz: int) -> None:
        same_rate = rate_hz == SAMPLE_RATE_HZ
        self._resampler = None if same_rate else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
        self.num_frames = 0
        self.num_not_finite = 0
        self._mix_energy = 0.0
        self._channel_energy = 0.0

    def push(self, frames: Samples) -> Samples:
        """Take the next frames and return a new `(n,)` array of what they complete, maybe empty."""
        with np.errstate(over="ignore", invalid="ignore"):
            mix = downmix(frames)
            # A sum is finite if all are; where it is not, look closer (it may also have overflowed).
            if not np.isfinite(mix.sum()):
                mix = self._without_not_finite(mix)
        self.num_frames += len(mix)
        if frames.shape[1] > 1:
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
        """Whether the channels have sound but their mean is (nearly) silent: stereo in anti-phase."""
        return self._channel_energy > 1e-4 and self._mix_energy < 1e-4 * self._channel_energy

    def _without_not_finite(self, mix: Samples) -> Samples:
        finite = np.isfinite(mix)
        self.num_not_finite += int(len(mix) - np.count_nonzero(finite))
        return np.where(finite, mix, np.float32(0))

    def _note_energies(self, frames: Samples, mix: Samples) -> None:
        some = frames[::_ENERGY_STRIDE]
        energy = float(np.square(some).sum()) / frames.shape[1]
        if np.isfinite(energy):
            self._channel_energy += energy
            self._mix_energy += float(np.square(mix[::_ENERGY_STRIDE]).sum())
