"""The published CED checkpoints, one row each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownCheckpoint:
    """One published checkpoint; `mean_average_precision` is in percent, on AudioSet's evaluation set."""

    name: str
    repo: str
    embed_dim: int
    num_heads: int
    depth: int
    parameters_millions: float
    mean_average_precision: float


KNOWN_CHECKPOINTS = (
    KnownCheckpoint("tiny", "mispeech/ced-tiny", 192, 3, 12, 5.5, 48.1),
    KnownCheckpoint("mini", "mispeech/ced-mini", 256, 4, 12, 9.6, 49.0),
    KnownCheckpoint("small", "mispeech/ced-small", 384, 6, 12, 22.0, 49.6),
    KnownCheckpoint("base", "mispeech/ced-base", 768, 12, 12, 86.0, 50.0),
)

# Every short way to write a known checkpoint: "tiny" and "ced-tiny" for "mispeech/ced-tiny".
REPO_BY_NAME = {
    name: known.repo for known in KNOWN_CHECKPOINTS for name in (known.name, known.repo.removeprefix("mispeech/"))
}
