"""What is measured on: recordings and checkpoints made on the spot, with nothing downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.model.config import CedConfig

RATE_HZ = 44_100
_BLOCK_S = 5


def write_checkpoint(folder: Path, config: CedConfig) -> Path:
    """A checkpoint with random weights: speed does not depend on what they are."""
    import torch

    from cedtag.model.features import CedFeatureExtractor
    from cedtag.model.network import CedForAudioClassification

    torch.manual_seed(0)
    CedForAudioClassification(config).save_pretrained(folder)
    CedFeatureExtractor().save_pretrained(folder)
    return folder


def mixed_lengths(count: int, mean_s: float) -> list[float]:
    """Lengths in seconds, from a second to several minutes, that have this mean."""
    lengths = np.exp(np.random.default_rng(0).normal(0, 1, count))
    return np.maximum(1, lengths / lengths.mean() * mean_s).tolist()


def write_corpus(folder: Path, container: str, lengths_s: Sequence[float], rate_hz: int, channels: int) -> Path:
    """A folder of recordings of these lengths."""
    folder.mkdir()
    for number, length_s in enumerate(lengths_s):
        write_recording(folder / f"{number:04d}.{container}", length_s, rate_hz, channels)
    return folder


def write_recording(path: Path, length_s: float, rate_hz: int, channels: int) -> Path:
    """One recording of tones and noise that come and go."""
    with soundfile.SoundFile(path, "w", rate_hz, channels) as file:
        for block in _sound(length_s, rate_hz, channels):
            file.write(block)
    return path


def write_sparse_wav(path: Path, length_s: int) -> Path:
    """A WAV of silence at 16 kHz that takes no room on the disk."""
    size = length_s * 32_000
    header = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"\1\0\1\0" + (16_000).to_bytes(4, "little") + (32_000).to_bytes(4, "little") + b"\2\0\20\0"
    with path.open("wb") as file:
        file.write(header + b"data" + size.to_bytes(4, "little"))
        file.truncate(44 + size)
    return path


def _sound(length_s: float, rate_hz: int, channels: int) -> Iterator[NDArray[np.float32]]:
    random = np.random.default_rng(0)
    seconds = np.arange(_BLOCK_S * rate_hz) / rate_hz
    tone = 0.3 * np.sin(2 * np.pi * 440 * seconds) * (np.sin(2 * np.pi * 0.7 * seconds) > 0)
    noise = 0.1 * random.standard_normal((len(seconds), channels)) * (np.sin(2 * np.pi * 0.3 * seconds) > 0)[:, None]
    block = (tone[:, None] + noise).astype(np.float32)
    left = round(length_s * rate_hz)
    while left > 0:
        # Pieces, because libsndfile's Vorbis encoder overflows the stack on long ones.
        for start in range(0, min(left, len(block)), 8192):
            yield block[start : min(start + 8192, left)]
        left -= len(block)
