"""What is measured when nothing is given: a checkpoint with random weights, and a synthetic recording per container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cedtag.checkpoints.names import WEIGHTS_NAME
from cedtag.scoring.onnx_model import weight_shapes
from cedtag.system.extras import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.model.config import CedConfig

RATE_HZ, CHANNELS = 44_100, 2
CONTAINERS = ("wav", "flac", "ogg", "mp3", "m4a", "opus")
# container -> FFmpeg's encoder, for those that cedtag reads with PyAV.
_ENCODERS = {"m4a": ("aac", RATE_HZ), "opus": ("libopus", 48_000)}
_BLOCK_S = 5


def can_be_made(container: str) -> bool:
    """Whether a container can be written and read here without a package that is not installed."""
    return container not in _ENCODERS or is_installed("av")


def write_checkpoint(folder: Path, config: CedConfig) -> Path:
    """A checkpoint with random weights, whose speed is that of a trained one; torch is not needed."""
    from safetensors.numpy import save_file

    random = np.random.default_rng(0)
    config.save_pretrained(folder)
    weights = {name: _weights(name, shape, random) for name, shape in weight_shapes(config).items()}
    weights["encoder.init_bn.num_batches_tracked"] = np.array(0, np.int64)
    save_file(weights, folder / WEIGHTS_NAME, metadata={"format": "pt"})
    return folder


def write_recording(path: Path, length_s: float, rate_hz: int = RATE_HZ, channels: int = CHANNELS) -> Path:
    """One recording of tones and noise that come and go, in the container that its suffix names."""
    container = path.suffix[1:]
    if container in _ENCODERS:
        from cedtag.bench.encode import encode

        encoder, rate_hz = _ENCODERS[container]
        encode(path, encoder, rate_hz, _sound(length_s, rate_hz, channels))
        return path
    import soundfile

    with soundfile.SoundFile(path, "w", rate_hz, channels) as file:
        for block in _sound(length_s, rate_hz, channels):
            file.write(block)
    return path


def _sound(length_s: float, rate_hz: int, channels: int) -> Iterator[NDArray[np.float32]]:
    """The samples `(n, channels)`, in pieces, because libsndfile's Vorbis encoder overflows the stack on long ones."""
    random = np.random.default_rng(0)
    seconds = np.arange(_BLOCK_S * rate_hz) / rate_hz
    tone = 0.3 * np.sin(2 * np.pi * 440 * seconds) * (np.sin(2 * np.pi * 0.7 * seconds) > 0)
    noise = 0.1 * random.standard_normal((len(seconds), channels)) * (np.sin(2 * np.pi * 0.3 * seconds) > 0)[:, None]
    block = (tone[:, None] + noise).astype(np.float32)
    left = round(length_s * rate_hz)
    while left > 0:
        for start in range(0, min(left, len(block)), 8192):
            yield block[start : min(start + 8192, left)]
        left -= len(block)


def _weights(name: str, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float32]:
    if name.endswith("running_var"):
        return np.full(shape, 400, np.float32)
    if name.endswith("weight") and len(shape) == 1:  # of a norm
        return np.ones(shape, np.float32)
    return (0.05 * random.standard_normal(shape)).astype(np.float32)
