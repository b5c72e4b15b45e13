"""Scorers turn windows into probabilities; there is one for each backend."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, cast

from cedtag.errors import InputError, MissingPackageError
from cedtag.system.extras import is_installed, missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.labels.table import Label
    from cedtag.records import Window


# Each job and thread costs a thread of the system, and each window of a batch its samples and activations.
_MOST = {"batch_size": 65_536, "jobs": 1024, "threads": 1024}


@dataclass(frozen=True, slots=True)
class Compute:
    """What computes, and with how much of the machine.

    `backend` is "torch", "onnx" or "auto" (torch, but ONNX Runtime for int8 and where torch is not installed); `device`
    "cpu", "cuda[:N]", "mps" or "auto"; `precision` "fp32", "bf16", "fp16", "int8" or "auto". `batch_size` windows are
    scored in one call by each of `threads` threads, while `jobs` recordings are decoded; None takes what suits model
    and machine.
    """

    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    jobs: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            number = getattr(self, name)
            if number is not None and not 1 <= number <= most:
                raise InputError(f"`{name}` {number}: expected a whole number from 1 to {most}")


# backend -> the function that loads its scorer.
BACKENDS = {
    "torch": "cedtag.scoring.torch_scorer:load_torch_scorer",
    "onnx": "cedtag.scoring.onnx_scorer:load_onnx_scorer",
}


class Scorer(Protocol):
    """A loaded model. `score` is called from several threads at once; on a CPU each computes in its own alone.

    `shortest_window` and `longest_window` are in samples; a shorter recording, and so its only window, is scored as if
    silence followed. `settings` are those that change a number, by option name. `name` is that
    of the checkpoint, for messages.
    """

    name: str
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
        """The probabilities `(windows, classes)` of windows of any lengths up to `longest_window`."""


class EmbeddingScorer(Scorer, Protocol):
    """A scorer that also gives embeddings: the mean of a window's last hidden states, of which its scores are made."""

    embedding_size: int

    def score_embedded(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What `score` gives, to the bit, and the embeddings `(windows, embedding_size)`."""


def gives_embeddings(scorer: Scorer) -> TypeGuard[EmbeddingScorer]:
    """Whether a scorer is an `EmbeddingScorer`, and not only passes attributes on to one."""
    return hasattr(type(scorer), "score_embedded")


class ColumnScorer(Scorer, Protocol):
    """A scorer that also gives the probabilities of columns of tokens: all patches of one time step.

    A column lasts `shortest_window` samples. Its probabilities are what the head makes of the mean of its tokens, as
    those of the window are made of the mean of all; a mean over columns is not the window's.
    """

    def score_columns(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """What `score` gives, to the bit, and for each window the probabilities `(columns, classes)` in order of time.

        What of the end of a window fills no column is in no column.
        """


class WholeScorer(ColumnScorer, EmbeddingScorer, Protocol):
    """A scorer that gives both from one pass."""

    def score_whole(
        self, windows: Sequence[Window]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], list[NDArray[np.float32]]]:
        """What `score_columns` gives, to the bit, with the embeddings of `score_embedded` in the middle."""


def gives_columns(scorer: Scorer) -> TypeGuard[ColumnScorer]:
    """Whether a scorer is a `ColumnScorer`, and not only passes attributes on to one."""
    return hasattr(type(scorer), "score_columns")


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
    """Load a checkpoint in a backend: "auto" is torch, but ONNX Runtime for int8, and where torch is not installed.

    Scores differ between backends by less than 1e-5 in fp32, and a run is not continued in another one.
    """
    if not is_installed("torch"):
        backend = _without_torch(backend, device, precision)
    elif backend == "auto":
        backend = "onnx" if precision == "int8" else "torch"
    module, name = BACKENDS[backend].split(":")
    return cast("Scorer", getattr(import_module(module), name)(checkpoint, device, precision, batch_size))


def _without_torch(backend: str, device: str, precision: str) -> str:
    """ONNX Runtime, or MissingPackageError for what needs torch."""
    if backend == "torch":
        raise MissingPackageError(missing("`backend` torch needs torch", "torch"))
    if backend == "auto" and device not in ("auto", "cpu"):
        raise MissingPackageError(missing(f"`device` {device} needs torch", "torch"))
    if backend == "auto" and precision in ("bf16", "fp16"):
        raise MissingPackageError(missing(f"`precision` {precision} needs torch", "torch"))
    return "onnx" if backend == "auto" else backend
