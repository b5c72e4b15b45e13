"""From files to rows, as a user runs it, and the plain loop that it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch

from benchmarks.costs import Cost, busy_neighbour, cost_of
from cedtag.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def tagging_case(
    recordings: Path, checkpoint: Path, length_s: float, *options: str, beside_hog: bool = False
) -> Callable[[], Cost]:
    """What `cedtag` takes for ten seconds of audio, from files to CSV, loading the model included."""
    output = recordings.with_suffix(".csv")
    arguments = [str(recordings), "-m", str(checkpoint), "-o", str(output), "--overwrite", "-q", "-t", "0.5", *options]

    def tag() -> None:
        if code := run(arguments):
            raise SystemExit(f"cedtag {' '.join(arguments)}: exit code {code}")

    return _case(tag, length_s, beside_hog=beside_hog)


def plain_loop_case(
    recordings: Path, checkpoint: Path, length_s: float, num_threads: int, *, beside_hog: bool = False
) -> Callable[[], Cost]:
    """What a loop as people write it takes: load a file, features, forward, one window at a time."""
    from torchaudio.transforms import AmplitudeToDB, MelSpectrogram, Resample

    from cedtag.model import CedForAudioClassification

    model = CedForAudioClassification.from_pretrained(checkpoint)
    mel = MelSpectrogram(16_000, 512, hop_length=160, n_mels=64)
    decibels = AmplitudeToDB(top_db=120)

    @torch.no_grad()
    def loop() -> None:
        torch.set_num_threads(num_threads)
        for path in sorted(recordings.iterdir()):
            samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
            mono = torch.from_numpy(np.ascontiguousarray(samples.mean(axis=1)))
            waveform = mono if rate_hz == 16_000 else Resample(rate_hz, 16_000)(mono)
            for window in waveform.split(160_000):
                if len(window) >= 2560:
                    model(decibels(mel(window[None]))).probabilities.topk(5)
        torch.set_num_threads(1)

    return _case(loop, length_s, beside_hog=beside_hog)


def _case(work: Callable[[], None], length_s: float, *, beside_hog: bool) -> Callable[[], Cost]:
    def measured() -> Cost:
        if not beside_hog:
            return cost_of(work).per(length_s / 10)
        with busy_neighbour():
            return cost_of(work).per(length_s / 10)

    return measured
