"""Measure `cedtag similar` and `learn` on generated embeddings: `OMP_NUM_THREADS=1 python -m benchmarks.nearest`.

Each figure is the median over rounds that take turns. Nearest windows are compared with all similarities in float64.
"""

from __future__ import annotations

import os
import time
from statistics import median
from typing import TYPE_CHECKING

import click
import numpy as np

from cedtag.labels.table import Label
from cedtag.learning.logistic import Examples, fit, scale_of
from cedtag.scoring.embedding_head import EmbeddingHead
from cedtag.similar.nearest import Wanted, directions, nearest, similarities
from cedtag.store.column import EmbeddingColumn, column_type
from cedtag.store.schema import EMBEDDING

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS_PER_PART = 65_536
WINDOWS_PER_RECORDING = 360


@click.command(help=__doc__)
@click.option("--windows", default=1_000_000, show_default=True)
@click.option("--size", default=192, show_default=True, help="Numbers of an embedding: 192 to 768.")
@click.option("--rounds", default=5, show_default=True)
def main(windows: int, size: int, rounds: int) -> None:
    rng = np.random.default_rng(0)
    column = generated(windows, size, rng)
    listing = np.unique(np.concatenate([rows["id"] for rows in column.parts]))
    examples, nothing = rng.standard_normal((8, size)) + 0.3, np.empty((0, size))
    few, many = (Wanted(directions(some), nothing) for some in (examples[:1], examples))
    head = EmbeddingHead(Label(0, "", "x"), {}, *rng.standard_normal((3, size)), 0.0)
    small = Examples(rng.standard_normal((50, size)), np.arange(50) % 5 == 0, np.arange(50))
    cases: dict[str, Callable[[], object]] = {
        "similar, one example": lambda: nearest(column, few, listing),
        "similar, eight examples": lambda: nearest(column, many, listing),
        "scores of a learned class": lambda: [head.probabilities(rows[EMBEDDING]) for rows in column.parts],
        "a class from 50 examples": lambda: fit(small, scale_of(small.features)),
        "one pass over the bytes": lambda: [rows[EMBEDDING].view(np.int16).max() for rows in column.parts],
    }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, work in cases.items():
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    click.echo(f"{windows:,} windows of {size} numbers, load {os.getloadavg()[0]:.1f}")
    for name, each in seconds.items():
        click.echo(f"{name}: {1000 * median(each):.0f} ms")
    click.echo(f"the 20 best are those of float64: {is_exact(column, few, listing)}")


def generated(windows: int, size: int, rng: np.random.Generator) -> EmbeddingColumn:
    """A column of random embeddings that share a direction, as those of a model do."""
    parts = []
    for first in range(0, windows, ROWS_PER_PART):
        rows = np.zeros(min(ROWS_PER_PART, windows - first), column_type(size))
        rows[EMBEDDING] = rng.standard_normal((len(rows), size), np.float32) + np.float32(0.3)
        rows["length"] = np.sqrt(np.square(rows[EMBEDDING], dtype=np.float64).sum(1))
        rows["start"] = np.arange(first, first + len(rows))
        rows["id"] = rows["start"] // WINDOWS_PER_RECORDING
        parts.append(rows)
    return EmbeddingColumn(parts, size)


def is_exact(column: EmbeddingColumn, wanted: Wanted, listing: np.ndarray) -> bool:
    """Whether the nearest windows are those of all similarities in float64."""
    everything = np.concatenate(
        [
            similarities(rows[EMBEDDING].astype(np.float64), rows["length"], wanted.examples)[:, 0]
            for rows in column.parts
        ]
    )
    expected = np.lexsort((np.arange(len(everything)), -everything))[: wanted.num_best]
    return bool((nearest(column, wanted, listing).rows["start"] == expected).all())


if __name__ == "__main__":
    main()
