"""How much faster than fp32 a processor is in the other precisions, measured on it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from cedtag.model.config import CedConfig
from cedtag.model.front_end import FrontEnd
from cedtag.records import Source, Window
from cedtag.system import extras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cedtag.scoring import Scorer

_WINDOWS, _WINDOW_SAMPLES = 2, 160_000
_ROUNDS = 3


def speedups() -> dict[str, float]:
    """How many times as fast as in fp32 one thread scores in each other precision that works here.

    The model has the shape of ced-tiny, in the backends that `auto` takes. Processor time is compared, in turn, so that
    what else runs on the machine counts little.
    """
    scorers = _scorers()
    random = np.random.default_rng(0)
    source = Source("noise", "noise", "noise")
    samples = 0.1 * random.standard_normal((_WINDOWS, _WINDOW_SAMPLES), np.float32)
    windows = [Window(source, i, i * _WINDOW_SAMPLES, window) for i, window in enumerate(samples)]
    with ThreadPoolExecutor(1, initializer=scorers["fp32"].prepare_thread) as thread:
        rounds = [thread.submit(_seconds, scorers, windows).result() for _ in range(1 + _ROUNDS)]
    return {
        precision: median(taken["fp32"] / taken[precision] for taken in rounds[1:])  # the first one allocates
        for precision in scorers
        if precision != "fp32"
    }


def _seconds(scorers: dict[str, Scorer], windows: Sequence[Window]) -> dict[str, float]:
    """The processor time that every scorer takes."""
    taken = {}
    for precision, scorer in scorers.items():
        started = time.thread_time()
        scorer.score(windows)
        taken[precision] = time.thread_time() - started
    return taken


def _scorers() -> dict[str, Scorer]:
    """The scorers of a CPU, by precision."""
    scorers: dict[str, Scorer] = {}
    if extras.is_installed("torch"):
        from cedtag.scoring.torch_device import cpu_has_bf16

        scorers |= {precision: _torch_scorer(precision) for precision in ("fp32", "bf16")[: 1 + cpu_has_bf16()]}
    if extras.has("onnx"):
        onnx = partial(_onnx_scorer, _weights(CedConfig()))
        scorers |= {precision: onnx(precision) for precision in ("fp32", "int8") if precision not in scorers}
    return scorers


def _torch_scorer(precision: str) -> Scorer:
    import torch

    from cedtag.model.log_mel import LogMel
    from cedtag.model.network import CedForAudioClassification
    from cedtag.scoring.torch_scorer import TorchScorer

    model = CedForAudioClassification(CedConfig())
    return TorchScorer(model, LogMel(FrontEnd()), torch.device("cpu"), precision, _WINDOWS)


def _onnx_scorer(weights: dict[str, NDArray[np.float32]], precision: str) -> Scorer:
    from cedtag.scoring.onnx_scorer import OnnxScorer

    return OnnxScorer(CedConfig(), FrontEnd(), weights, precision, _WINDOWS)


def _weights(config: CedConfig) -> dict[str, NDArray[np.float32]]:
    """Any weights that give numbers: speed does not depend on what they are."""
    from cedtag.scoring.onnx_model import weight_shapes

    random = np.random.default_rng(0)
    drawn = {name: 0.02 * random.standard_normal(shape, np.float32) for name, shape in weight_shapes(config).items()}
    return drawn | {"encoder.init_bn.running_var": np.ones(config.n_mels, np.float32)}
