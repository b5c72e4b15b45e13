"""The parts by themselves: matrix products, model, front end, decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.costs import Cost, cost_in_threads, cost_of
from cedtag.audio import open_recording
from cedtag.records import Source, Window
from cedtag.scoring.torch_threads import compute_alone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cedtag.scoring import Scorer

_SIZE = 1024
WINDOW_SAMPLES = 160_000


def product_case(gflop: float, num_threads: int, repeats: int = 12) -> Callable[[], Cost]:
    """What `gflop` of the fastest plain matrix product take, with all threads busy: the limit of fp32."""
    left, right = torch.randn(_SIZE, _SIZE), torch.randn(_SIZE, _SIZE)

    def products() -> None:
        compute_alone()
        for _ in range(repeats):
            left @ right

    done = num_threads * repeats * 2 * _SIZE**3 / 1e9
    return lambda: cost_in_threads(products, num_threads).per(done / gflop)


def scoring_case(scorer: Scorer, num_threads: int, hop: int = WINDOW_SAMPLES, repeats: int = 4) -> Callable[[], Cost]:
    """What a scorer takes for one window of ten seconds, called from several threads."""
    count = scorer.batch_size
    samples = (0.1 * np.random.default_rng(0).standard_normal(WINDOW_SAMPLES + count * hop)).astype(np.float32)
    source = Source("a", "a", "a")
    windows = [Window(source, i, i * hop, samples[i * hop :][:WINDOW_SAMPLES]) for i in range(count)]

    def calls() -> None:
        scorer.prepare_thread()
        for _ in range(repeats):
            scorer.score(windows)

    return lambda: cost_in_threads(calls, num_threads).per(num_threads * repeats * count)


def front_end_case(repeats: int = 8) -> Callable[[], Cost]:
    """What the log-mel features of ten seconds take in torch, in one thread."""
    from cedtag.model.features import CedFeatureExtractor

    extractor, samples = CedFeatureExtractor(), torch.randn(4, WINDOW_SAMPLES)

    def features() -> None:
        compute_alone()
        for _ in range(repeats):
            extractor.log_mel(samples)

    return lambda: cost_in_threads(features, 1).per(4 * repeats)


def spectra_case(repeats: int = 8) -> Callable[[], Cost]:
    """What the power spectra of ten seconds take in NumPy, in one thread."""
    from cedtag.model.front_end import FrontEnd
    from cedtag.scoring.power_spectra import PowerSpectra

    spectra = PowerSpectra(FrontEnd())
    samples = (0.1 * np.random.default_rng(0).standard_normal(WINDOW_SAMPLES)).astype(np.float32)
    window = Window(Source("a", "a", "a"), 0, 0, samples)
    return lambda: cost_of(lambda: [next(spectra([window])) for _ in range(repeats)]).per(repeats)


def decoding_case(path: Path, length_s: float) -> Callable[[], Cost]:
    """What it takes to read ten seconds of a recording as 16 kHz mono, in one thread."""
    source = Source(str(path), str(path), path.name)

    def decode() -> None:
        with open_recording(source) as recording:
            for _ in recording.blocks():
                pass

    return lambda: cost_of(decode).per(length_s / 10)
