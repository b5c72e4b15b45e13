"""Power spectra and mel filters in NumPy: the first half of CED's front end, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cedtag.model.front_end import FrontEnd
    from cedtag.records import Window

Array = NDArray[np.float32]

_FRAMES_AT_ONCE = 256  # so that intermediate values stay in the processor's cache


class PowerSpectra:
    """Turns windows of one recording into power spectra `(frames, n_fft / 2 + 1)`; the ends of each are mirrored."""

    def __init__(self, front_end: FrontEnd) -> None:
        self._hop, self._n_fft, self._shortest = front_end.hop_size, front_end.n_fft, front_end.shortest_samples
        self._taper = _hann(front_end.win_size, self._n_fft)

    def __call__(self, windows: Sequence[Window]) -> Iterator[Array]:
        """Yield the spectrum of each window, the same as if it were alone.

        Frames that lie wholly inside two neighbours are computed once. A frame that reaches over the end of a window
        holds samples mirrored there, so it is that window's own.
        """
        before: Window | None = None
        power = np.empty((0, 0), np.float32)
        for window in windows:
            frames = self._frames(window.samples)
            first, last, step = self._common(before, window) if before else (0, 0, 0)
            if first < last:
                common = power[first + step : last + step]
                power = np.concatenate([self._power(frames[:first]), common, self._power(frames[last:])])
            else:
                power = self._power(frames)
            before = window
            yield power

    def _common(self, before: Window, window: Window) -> tuple[int, int, int]:
        """The frames [first, last) of `window` that `before` has too, there `step` frames later."""
        step, odd = divmod(window.start - before.start, self._hop)
        if odd or step < 0:
            return 0, 0, 0
        half = self._n_fft // 2
        first = -(-half // self._hop)
        ends = ((len(each.samples) - half) // self._hop + 1 for each in (before, window))
        return first, min(next(ends) - step, next(ends)), step

    def _frames(self, samples: Array) -> Array:
        half = self._n_fft // 2
        filled = np.pad(samples, (0, max(0, self._shortest - len(samples))))
        frames: Array = sliding_window_view(np.pad(filled, half, mode="reflect"), self._n_fft)[:: self._hop]
        return frames

    def _power(self, frames: Array) -> Array:
        power = np.empty((len(frames), self._n_fft // 2 + 1), np.float32)
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            piece = slice(start, start + _FRAMES_AT_ONCE)
            # In double precision where NumPy is older than version 2.
            spectrum = np.fft.rfft(frames[piece] * self._taper).astype(np.complex64, copy=False)
            np.square(spectrum.real, out=power[piece])
            power[piece] += np.square(spectrum.imag)
        return power


def mel_filters(front_end: FrontEnd) -> Array:
    """Triangles `(n_fft / 2 + 1, n_mels)` of height 1, evenly spaced on the HTK mel scale."""
    mels = np.linspace(_mel(front_end.f_min), _mel(front_end.f_max), front_end.n_mels + 2)
    corners_hz = 700 * (10 ** (mels / 2595) - 1)
    bins_hz = np.linspace(0, front_end.sampling_rate / 2, front_end.n_fft // 2 + 1)
    triangles = [np.interp(bins_hz, corners_hz[i : i + 3], [0, 1, 0]) for i in range(front_end.n_mels)]
    filters: Array = np.array(triangles, np.float32).T
    return filters


def _mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


def _hann(win_size: int, n_fft: int) -> Array:
    """The periodic Hann window in the middle of `n_fft` samples."""
    taper = np.zeros(n_fft, np.float32)
    left = (n_fft - win_size) // 2
    taper[left : left + win_size] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_size) / win_size)
    return taper
