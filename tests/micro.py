"""A CED small enough for tests, and what the public reference implementation computes with it.

`data/ced-micro` has depth 2, 48 dimensions, 527 outputs and random weights. `data/golden.npz` holds, for each of
`clips()`, the reference's features in dB (every tenth frame of long clips), its mean hidden state and its
probabilities, computed one clip at a time on a CPU; and the mel filters it had there.
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

DATA = Path(__file__).parent / "data"
CHECKPOINT = DATA / "ced-micro"

Array = NDArray[np.float32]


def micro_checkpoint(folder: Path) -> Path:
    """`folder`, holding the micro checkpoint as a Hub repository would: config, preprocessor config, safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in CHECKPOINT.iterdir():
        shutil.copyfile(file, folder / file.name)
    return folder


def original_state() -> dict[str, Tensor]:
    """The micro checkpoint's weights under the names of CED's original repository."""
    import torch
    from safetensors.torch import load_file

    hub = load_file(CHECKPOINT / "model.safetensors")
    renamed = {name.removeprefix("encoder.").replace("init_bn.", "init_bn.1."): hub[name] for name in hub}
    front_end = {"spectrogram.window": torch.hann_window(512), "mel_scale.fb": torch.zeros(257, 64)}
    return renamed | {f"front_end.0.{name}": value for name, value in front_end.items()}


def original_checkpoint(folder: Path) -> Path:
    """The path of a `.pt` file in the original repository's layout, with the `config.json` that it needs beside it."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CHECKPOINT / "config.json", folder / "config.json")
    torch.save(original_state(), folder / "micro.pt")
    return folder / "micro.pt"


@cache
def clips() -> dict[str, Array]:
    """The clips of the golden values, `(n,)` at 16 kHz, by name."""
    # The legacy generator, because NumPy promises that its numbers never change.
    noise = np.random.RandomState(101).standard_normal
    seconds = np.arange(161_760) / 16_000

    def tone(hz: float, num_samples: int) -> NDArray[np.float64]:
        return np.sin(2 * np.pi * hz * seconds[:num_samples])

    # One stream of noise: the order of these lines matters.
    hiss = 0.1 * noise(160_000)
    modulated = 0.15 * tone(440, 52_800) * (1 + tone(3, 52_800)) + 0.02 * noise(52_800)
    short = 0.2 * tone(1000, 16_000) + 0.05 * noise(16_000)
    burst = np.zeros(160_000)
    burst[40_000:40_800] = 0.8 * noise(800)
    full = 0.3 * noise(161_760)
    ten_s = seconds[:160_000]
    made = {
        "noise_10s": hiss,
        "chirp_10s": 0.5 * np.sin(2 * np.pi * (50 * ten_s + 350 * ten_s**2)),
        "am_3p3s": modulated,
        "short_1s": short,
        "burst_in_silence_10s": burst,
        "digital_silence_2s": np.zeros(32_000),
        "full_1012_frames": full,
        "quarter_s": 0.3 * tone(2500, 4000),
    }
    return {name: clip.astype(np.float32) for name, clip in made.items()}


def assert_same_log_mel(found: Array, expected: Array) -> None:
    """Spectrograms `(..., mels, frames)` in dB are equal, up to what processors round differently.

    Fourier transforms in single precision differ by 5e-7 of the loudest amplitude of a frame, so the decibels of bins
    90 dB below it are rounding. Both are to be made with the same mel filters: torch's differ between processors by
    1e-5, which at the foot of a triangle is much.
    """
    loudest = _amplitudes(expected).max(axis=-2, keepdims=True)
    np.testing.assert_allclose(_amplitudes(found) / loudest, _amplitudes(expected) / loudest, rtol=0, atol=2e-6)


def assert_golden(name: str, probabilities: Array, hidden_mean: Array | None = None) -> None:
    """What a model gives for the waveform of a clip is what the reference gives.

    Bins more than 100 dB down, where every Fourier transform has its own rounding, move a tone's and a chirp's scores.
    """
    expected = golden()[name]
    decibels = expected["features"]
    is_deep = (decibels.max(axis=0) - decibels).max() > 100
    np.testing.assert_allclose(probabilities, expected["probabilities"], rtol=0, atol=5e-5 if is_deep else 1e-5)
    if hidden_mean is not None:
        np.testing.assert_allclose(hidden_mean, expected["hidden_mean"], rtol=0, atol=2e-4 if is_deep else 4e-5)


def _amplitudes(decibels: Array) -> NDArray[np.float64]:
    return np.power(10.0, np.asarray(decibels, np.float64) / 20)


@cache
def reference_filters() -> Array:
    """The mel filters `(64, 257)` of the golden values."""
    with np.load(DATA / "golden.npz") as values:
        filters: Array = values["mel_filters"]
        return filters


@cache
def golden() -> dict[str, dict[str, Array]]:
    """For each clip's name: `features` (64, frames) in dB, `hidden_mean` (48,) and `probabilities` (527,)."""
    with np.load(DATA / "golden.npz") as values:
        kinds = ("features", "hidden_mean", "probabilities")
        return {name: {kind: values[f"{name}__{kind}"] for kind in kinds} for name in clips()}
