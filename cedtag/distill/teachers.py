"""Teachers: what gives views their probabilities. CEDs, convolutional networks, and functions of one's own."""

from __future__ import annotations

import hashlib
import threading
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from cedtag.checkpoints.locate import Checkpoint, resolve
from cedtag.errors import InputError, ModelError
from cedtag.model.config import SINGLE_LABEL
from cedtag.model.front_end import FrontEnd
from cedtag.model.network import CedForAudioClassification
from cedtag.model.preprocessor import front_end_of
from cedtag.run.settings import sha256_of
from cedtag.scoring.torch_device import find_device, find_precision
from cedtag.scoring.torch_scorer import default_batch_size
from cedtag.system.machine import keep_freed_memory
from cedtag.training.loop import autocast
from cedtag.training.teacher import FEWEST_FRAMES
from cedtag.training.teacher_checkpoint import is_teacher, load_teacher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from cedtag.distill.settings import DistillStoreCompute, TeacherChoice
    from cedtag.training.teacher_checkpoint import TrainedTeacher

_GPU_VIEWS, _CPU_VIEWS = 256, 4  # in a call of a convolutional network
MOST_CLASSES = 2**15  # that int16 has indices for


class Teacher(Protocol):
    """What scores views; called from several threads at once. `digest` is a hash of all that decides the scores.

    `front_end` is that of its spectrograms, None where it takes waveforms. It takes up to `longest` samples, None for
    any number.
    """

    name: str
    classes: tuple[str, ...]
    digest: str
    front_end: FrontEnd | None
    longest: int | None

    def probabilities(self, waveforms: NDArray[np.float32], features: Tensor) -> Tensor:
        """The probabilities `(views, classes)` of waveforms `(views, n)` with log-mels `(views, mels, frames)`."""


class CedTeacher:
    """A CED; its scores are those of `cedtag tag`, softmax where it was trained with cross-entropy."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, precision: str) -> None:
        model = CedForAudioClassification.from_checkpoint(checkpoint)
        self.checkpoint, self.name, self.digest = checkpoint, checkpoint.name, digest_of(checkpoint)
        self.classes = tuple(model.config.id2label.values())
        self.front_end: FrontEnd | None = front_end_of(checkpoint, model.config)
        self.longest: int | None = self.front_end.samples_of(model.config.target_length)
        self._model, self._device, self._precision = model.eval().to(device), device, precision
        self._model.encoder.in_place = device.type == "cpu" and precision == "fp32"
        self._batch_size = default_batch_size(model.config, device)

    def probabilities(self, waveforms: NDArray[np.float32], features: Tensor) -> Tensor:
        with _computing(self._device, self._precision):
            scores = [self._model(batch).probabilities for batch in torch.split(features, self._batch_size)]
        return torch.cat(scores).float()


class ConvolutionalTeacher:
    """A convolutional network that `cedtag finetune --teachers` has trained."""

    longest: int | None = None

    def __init__(self, checkpoint: Checkpoint, device: torch.device, precision: str) -> None:
        trained: TrainedTeacher = load_teacher(checkpoint)
        self.checkpoint, self.name, self.digest = checkpoint, checkpoint.name, digest_of(checkpoint)
        self.classes = trained.classes
        self.front_end: FrontEnd | None = replace(trained.front_end, patch_frames=FEWEST_FRAMES)
        self._network, self._device, self._precision = trained.network.to(device), device, precision
        self._is_softmax = trained.problem_type == SINGLE_LABEL
        self._batch_size = _CPU_VIEWS if device.type == "cpu" else _GPU_VIEWS

    def probabilities(self, waveforms: NDArray[np.float32], features: Tensor) -> Tensor:
        with _computing(self._device, self._precision):
            logits = torch.cat([self._network(batch).float() for batch in torch.split(features, self._batch_size)])
        return logits.softmax(-1) if self._is_softmax else logits.sigmoid()


class FunctionTeacher:
    """A function from a waveform `(n,)` float32, 16 kHz, to the probabilities `(classes,)` of these classes.

    It is given the shifted clip; masks, which are parts of a spectrogram, it does not see. `version` has to change
    when the function does: a store is gone on with by an equal name and version alone. It is called by one thread at a
    time, and on a cluster by one of each actor.
    """

    front_end: FrontEnd | None = None
    longest: int | None = None

    def __init__(
        self,
        function: Callable[[NDArray[np.float32]], ArrayLike],
        classes: Iterable[str],
        name: str = "function",
        version: str = "",
    ) -> None:
        self.name, self.classes = name, tuple(classes)
        self.digest = hashlib.sha256(f"function {name} {version}".encode("utf-8", "surrogatepass")).hexdigest()
        self._function, self._lock = function, threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def probabilities(self, waveforms: NDArray[np.float32], features: Tensor) -> Tensor:
        with self._lock:
            scores = [np.asarray(self._function(waveform), np.float32) for waveform in waveforms]
        for one in scores:
            if one.shape != (len(self.classes),) or not ((one >= 0) & (one <= 1)).all():
                raise ModelError(
                    f"{self.name}: gave no probabilities of {len(self.classes)} classes (shape {one.shape}, from "
                    f"{one.min(initial=0):g} to {one.max(initial=0):g}); return one number from 0 to 1 for each class"
                )
        return torch.from_numpy(np.stack(scores)).to(features.device)


def load_teachers(choice: TeacherChoice, compute: DistillStoreCompute) -> list[Teacher]:
    """The teachers of these names, on the device that computes; ModelError for one that there is not."""
    device = find_device(compute.device)
    precision = find_precision(compute.precision, device)
    checkpoints = (resolve(name, offline=choice.offline, cache_dir=choice.cache_dir) for name in choice.models)
    return [teacher_of(checkpoint, device, precision) for checkpoint in checkpoints]


def teacher_of(checkpoint: Checkpoint, device: torch.device, precision: str) -> Teacher:
    """The teacher in a checkpoint, of whichever kind; ModelError where it is none."""
    if device.type == "cpu":
        keep_freed_memory()
    kind = ConvolutionalTeacher if is_teacher(checkpoint) else CedTeacher
    return kind(checkpoint, device, precision)


def maker_of(teacher: Teacher) -> Checkpoint | Teacher:
    """What `teacher_of` makes the same teacher from in another process; itself, if it has no checkpoint."""
    return teacher.checkpoint if isinstance(teacher, CedTeacher | ConvolutionalTeacher) else teacher


def common_front_end(teachers: Sequence[Teacher]) -> FrontEnd:
    """The front end of all teachers, with the longest of their patches; InputError where they do not go together."""
    first = teachers[0]
    for other in teachers[1:]:
        if other.classes != first.classes:
            raise InputError(
                f"{first.name} and {other.name} have different classes ({_first_difference(first, other)}); "
                "take teachers with one list of classes"
            )
    if len(first.classes) > MOST_CLASSES:
        raise InputError(f"{first.name}: has {len(first.classes)} classes; a store holds up to {MOST_CLASSES}")
    front_ends = [(one.name, one.front_end) for one in teachers if one.front_end is not None]
    if not front_ends:
        return FrontEnd()
    patch_frames = max(front_end.patch_frames for _, front_end in front_ends)
    alike = [(name, replace(front_end, patch_frames=patch_frames)) for name, front_end in front_ends]
    for name, front_end in alike[1:]:
        if front_end != alike[0][1]:
            raise InputError(f"{alike[0][0]} and {name} have different front ends; take teachers with one")
    return alike[0][1]


def digest_of(checkpoint: Checkpoint) -> str:
    """The hash of the files of a checkpoint: weights, config and front end."""
    beside: list[Path | None] = [checkpoint.config, checkpoint.preprocessor]
    return sha256_of([*checkpoint.weight_files, *filter(None, beside)])


def _first_difference(first: Teacher, other: Teacher) -> str:
    if len(first.classes) != len(other.classes):
        return f"{len(first.classes)} and {len(other.classes)}"
    one, another = next((a, b) for a, b in zip(first.classes, other.classes, strict=True) if a != b)
    return f"{one!r} and {another!r} in one place"


def _computing(device: torch.device, precision: str) -> torch.autocast | nullcontext[None]:
    return nullcontext() if precision == "fp32" else autocast(device, precision)
