"""A test of scoring: a synthetic recording, a small model, and the scores that every installation should compute."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cedtag.records import SAMPLE_RATE_HZ, Source, Window
from cedtag.system.extras import is_installed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cedtag.model.config import CedConfig
    from cedtag.scoring.onnx_scorer import OnnxScorer
    from cedtag.scoring.torch_scorer import TorchScorer

TOLERANCE = 1e-4
_CLASSES = 6

# The scores of the first ten seconds and of the last two, as torch 2.14 computes them on a CPU in single precision.
EXPECTED = (
    (0.424177, 0.107518, 0.805289, 0.690782, 0.396511, 0.426714),
    (0.471847, 0.141809, 0.779673, 0.684109, 0.383004, 0.417676),
)


def deviation(device: str = "cpu") -> float:
    """The largest difference between the scores on a device and the expected ones."""
    samples = sound()
    source = Source("self-test", "self-test", "self-test")
    starts = (0, 10 * SAMPLE_RATE_HZ)
    windows = [Window(source, i, start, samples[start : start + 160_000]) for i, start in enumerate(starts)]
    scorer = small_scorer(device) if is_installed("torch") else small_onnx_scorer()
    return float(np.abs(scorer.score(windows) - np.array(EXPECTED)).max())


def sound() -> NDArray[np.float32]:
    """Twelve seconds `(192000,)` of a rising tone in intermittent noise."""
    t = np.arange(12 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = 0.3 * np.sin(2 * np.pi * (100 * t + 250 * t**2))
    noise = 0.1 * _normal(0, len(t)) * (np.sin(2 * np.pi * 0.4 * t) > 0)
    return (tone + noise).astype(np.float32)


def _config() -> CedConfig:
    from cedtag.model.config import CedConfig

    return CedConfig(embed_dim=48, num_heads=3, depth=2, outputdim=_CLASSES)


def small_onnx_scorer() -> OnnxScorer:
    """The same CED in ONNX Runtime."""
    from cedtag.model.front_end import FrontEnd
    from cedtag.scoring.onnx_model import weight_shapes
    from cedtag.scoring.onnx_scorer import OnnxScorer

    shapes = weight_shapes(_config())
    # The counter of batch norm has a number, too, among the weights of torch.
    numbers = {name: number for number, name in enumerate(sorted([*shapes, "encoder.init_bn.num_batches_tracked"]), 1)}
    drawn = {name: _normal(numbers[name], math.prod(shape)).reshape(shape) for name, shape in shapes.items()}
    weights = {name: _weights(name, values).astype(np.float32) for name, values in drawn.items()}
    return OnnxScorer(_config(), FrontEnd(), weights, batch_size=1)


def small_scorer(device: str) -> TorchScorer:
    """A CED of two blocks with pseudo-random weights, the same on every machine."""
    from cedtag.model.front_end import FrontEnd
    from cedtag.model.log_mel import LogMel
    from cedtag.model.network import CedForAudioClassification
    from cedtag.scoring.torch_device import find_device
    from cedtag.scoring.torch_scorer import TorchScorer

    model = CedForAudioClassification(_config())
    for number, (name, tensor) in enumerate(sorted(model.state_dict().items())):
        values = tensor.numpy()  # the memory of the tensor itself
        if values.ndim:
            values[...] = _weights(name, _normal(number + 1, values.size).reshape(values.shape))
    return TorchScorer(model, LogMel(FrontEnd()), find_device(device), batch_size=1)


def _weights(name: str, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Random numbers scaled for the parameter of this name, so that every part of the model matters."""
    if name.endswith("running_mean"):
        return -20 + 5 * drawn
    if name.endswith("running_var"):
        return 300 + 50 * np.tanh(drawn)
    if drawn.ndim == 1:
        return (0.2 * drawn) + (1 if "norm" in name or "bn" in name else 0)
    spread = 4 if name.startswith("outputlayer") else 1  # so that the scores are far apart
    return spread * drawn / math.sqrt(drawn[0].size)


def _normal(seed: int, size: int) -> NDArray[np.float64]:
    # The legacy generator, because NumPy guarantees that its numbers never change.
    return np.random.RandomState(seed).standard_normal(size)
