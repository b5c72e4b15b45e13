"""What is measured on: recordings and checkpoints made on the spot, with nothing downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cedtag.bench.corpus import RATE_HZ, write_checkpoint, write_recording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["RATE_HZ", "mixed_lengths", "write_checkpoint", "write_corpus", "write_recording", "write_sparse_wav"]


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


def write_sparse_wav(path: Path, length_s: int) -> Path:
    """A WAV of silence at 16 kHz that takes no room on the disk."""
    size = length_s * 32_000
    header = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"\1\0\1\0" + (16_000).to_bytes(4, "little") + (32_000).to_bytes(4, "little") + b"\2\0\20\0"
    with path.open("wb") as file:
        file.write(header + b"data" + size.to_bytes(4, "little"))
        file.truncate(44 + size)
    return path
