"""What turns windows into probabilities: one scorer per backend, one row per backend here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.labels.table import Label
    from cedtag.model.config import CedConfig
    from cedtag.records import Window

# A call must end soon after a Ctrl-C, and its activations should stay in the processor's cache.
_CPU_WINDOWS = 4
_CPU_CALL_FLOP = 60e9


@dataclass(frozen=True, slots=True)
class Compute:
    """What computes, and with how much of the machine.

    `backend` is "torch", "onnx" or "auto" (torch, but ONNX Runtime for int8); `device` "cpu", "cuda[:N]", "mps" or
    "auto"; `precision` "fp32", "bf16", "fp16", "int8" or "auto". `batch_size` windows are scored in one call by each of
    `threads` threads, while `jobs` recordings are decoded; None takes what suits model and machine.
    """

    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    jobs: int | None = None
    threads: int | None = None


# backend -> the function that loads its scorer.
BACKENDS = {
    "torch": "cedtag.scoring.torch_scorer:open_scorer",
    "onnx": "cedtag.scoring.onnx_scorer:open_scorer",
}


class Scorer(Protocol):
    """A loaded model. `score` is called from several threads at once; on a CPU each computes in its own alone.

    `shortest_window` and `longest_window` are in samples; windows that are shorter, at the end of short recordings, are
    scored as if silence followed. `settings` are those that change a number, by option name.
    """

    labels: tuple[Label, ...]
    shortest_window: int
    longest_window: int
    device: str
    precision: str
    batch_size: int
    across_recordings: bool

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def prepare_thread(self) -> None:
        """Called once at the start of every thread that scores."""

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """The probabilities `(windows, classes)` of windows of any lengths up to the longest."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A scorer, and the checkpoint that it was loaded from."""

    checkpoint: Checkpoint
    scorer: Scorer


def load_model(checkpoint: Checkpoint, compute: Compute) -> LoadedModel:
    """A checkpoint loaded into the backend, device and precision of `compute`."""
    scorer = open_scorer(checkpoint, compute.backend, compute.device, compute.precision, compute.batch_size)
    return LoadedModel(checkpoint, scorer)


def open_scorer(
    checkpoint: Checkpoint,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    batch_size: int | None = None,
) -> Scorer:
    """Load a checkpoint in a backend: "auto" is torch, but ONNX Runtime for int8.

    So it never depends on what is installed: scores differ between backends, by less than 1e-5 in fp32.
    """
    if backend == "auto":
        backend = "onnx" if precision == "int8" else "torch"
    module, name = BACKENDS[backend].split(":")
    return cast("Scorer", getattr(import_module(module), name)(checkpoint, device, precision, batch_size))


def flop_per_window(config: CedConfig) -> int:
    """The floating-point operations of the matrix products for the longest window."""
    rows, columns = config.grid_size
    tokens, dim = rows * columns, config.embed_dim
    return 2 * config.depth * tokens * (4 * dim**2 + 2 * dim * config.hidden_dim + 2 * tokens * dim)


def cpu_batch_size(config: CedConfig) -> int:
    """How many windows a call holds on a CPU unless somebody says: few, and for large models one."""
    return int(max(1, min(_CPU_WINDOWS, _CPU_CALL_FLOP // flop_per_window(config))))
