"""The limit of a machine: the matrix products of a model alone, in the shapes that it has, without anything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.bench.timing import timed_in_threads
from cedtag.system.extras import is_installed
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cedtag.model.config import CedConfig

# What one call of products holds: on a GPU fewer would leave it idle.
_CPU_WINDOWS, _GPU_WINDOWS = 4, 256
_SECONDS = 0.15  # how long one measurement lasts, about


@dataclass(frozen=True, slots=True)
class Shape:
    """A product `(batch, rows, inner) @ (batch, inner, columns)`; `batch` is 1 where the second factor is weights."""

    batch: int
    rows: int
    inner: int
    columns: int


def product_shapes(config: CedConfig, windows: int) -> list[Shape]:
    """The products of one block for as many of the longest windows."""
    rows, columns = config.grid_size
    tokens, dim, hidden, heads = rows * columns, config.embed_dim, config.hidden_dim, config.num_heads
    linear = ((dim, 3 * dim), (dim, dim), (dim, hidden), (hidden, dim))
    attention = ((dim // heads, tokens), (tokens, dim // heads))
    return [
        *(Shape(1, windows * tokens, inner, outer) for inner, outer in linear),
        *(Shape(windows * heads, tokens, inner, outer) for inner, outer in attention),
    ]


class Limit:
    """Measures what the products of a model take in one precision, by the fastest of the libraries that have it."""

    def __init__(self, config: CedConfig, device: str, precision: str) -> None:
        self._windows = _CPU_WINDOWS if device == "cpu" else _GPU_WINDOWS
        self._num_threads = usable_cpus() if device == "cpu" else 1
        shapes = product_shapes(config, self._windows)
        calls = [
            call for call in _libraries(shapes, config.depth, device, precision) for _ in range(2)
        ]  # cold at first
        taken = [(self._measured(call, 1), call) for call in calls]
        fastest_s, self._call = min(taken, key=lambda each: each[0])
        self._repeats = max(1, round(_SECONDS / (fastest_s * self._num_threads * self._windows)))

    def seconds(self) -> float:
        """The seconds that pass for the products of one window, with all cores busy."""
        return self._measured(self._call, self._repeats)

    def _measured(self, call: Callable[[], None], repeats: int) -> float:
        def calls() -> None:
            for _ in range(repeats):
                call()

        passed_s, _ = timed_in_threads(calls, self._num_threads)
        return passed_s / (repeats * self._num_threads * self._windows)


def _libraries(shapes: list[Shape], depth: int, device: str, precision: str) -> Iterator[Callable[[], None]]:
    """For each library with products in this precision the function that computes all of them, alone in its thread."""
    if device == "cpu" and precision in ("fp32", "int8") and is_installed("onnxruntime"):
        from cedtag.bench.onnx_products import onnx_products

        yield onnx_products(shapes, depth, precision)
    if precision != "int8" and is_installed("torch"):
        from cedtag.bench.torch_products import torch_products

        yield torch_products(shapes, depth, device, precision)
