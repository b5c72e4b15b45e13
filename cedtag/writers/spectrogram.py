"""Mel spectrograms of recordings of any length, reduced to as many columns as a picture can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cedtag.model.front_end import MIN_POWER, TOP_DB, FrontEnd
from cedtag.records import SAMPLE_RATE_HZ, Source, Window
from cedtag.scoring.power_spectra import PowerSpectra, mel_filters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_CHUNK_S = 30
_NOWHERE = Source("", "", "")


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """Mel power in dB `(mels, columns)` of a whole recording; a column holds the loudest of the frames in it."""

    decibels: Floats
    duration_s: float


def spectrogram(blocks: Iterable[Floats], max_columns: int) -> Spectrogram:
    """The spectrogram of consecutive `(n,)` blocks of 16 kHz mono, in memory that does not grow with their number."""
    front_end = FrontEnd()
    spectra, filters, hop = PowerSpectra(front_end), mel_filters(front_end), front_end.hop_size
    sheet = _Sheet(front_end.n_mels, max_columns)
    num_samples = 0
    for chunk in _chunks(blocks, _CHUNK_S * SAMPLE_RATE_HZ):
        num_samples += len(chunk)
        # Each chunk is mirrored at its ends, which nobody sees; its last frame is the next one's first.
        (power,) = spectra([Window(_NOWHERE, 0, 0, chunk)])
        decibels = 10 * np.log10(np.maximum(power @ filters, MIN_POWER)).T
        sheet.add(np.maximum(decibels, decibels.max() - TOP_DB)[:, : max(1, len(chunk) // hop)])
    return Spectrogram(sheet.columns(), num_samples / SAMPLE_RATE_HZ)


def mel_frequencies_hz(num_mels: int) -> NDArray[np.float64]:
    """The centre of each mel band from 0 to 8 kHz, on the scale of `2595 log10(1 + f / 700)`."""
    top = 2595 * np.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
    return 700 * (10 ** (np.linspace(0, top, num_mels + 2)[1:-1] / 2595) - 1)


class _Sheet:
    """As many columns as are allowed; when frames need more, neighbours become one."""

    def __init__(self, rows: int, max_columns: int) -> None:
        self._sheet = np.full((rows, max_columns + max_columns % 2), -np.inf, np.float32)
        self._num_frames = 0
        self._frames_per_column = 1

    def add(self, frames: Floats) -> None:
        stop = self._num_frames + frames.shape[1]
        while stop > self._frames_per_column * self._sheet.shape[1]:
            self._halve()
        places = np.arange(self._num_frames, stop) // self._frames_per_column
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        part = self._sheet[:, places[0] : places[-1] + 1]
        np.maximum(part, np.maximum.reduceat(frames, starts, axis=1), out=part)
        self._num_frames = stop

    def columns(self) -> Floats:
        return self._sheet[:, : -(-self._num_frames // self._frames_per_column)]

    def _halve(self) -> None:
        half = self._sheet.shape[1] // 2
        self._sheet[:, :half] = np.maximum(self._sheet[:, ::2], self._sheet[:, 1::2])
        self._sheet[:, half:] = -np.inf
        self._frames_per_column *= 2


def _chunks(blocks: Iterable[Floats], size: int) -> Iterator[Floats]:
    """Yield `size` samples at a time, and what is left."""
    held: list[Floats] = []
    num_held = 0
    for block in blocks:
        held.append(block)
        num_held += len(block)
        while num_held >= size:
            samples = np.concatenate(held)
            yield samples[:size]
            held, num_held = [samples[size:]], num_held - size
    if num_held:
        yield np.concatenate(held)
