"""A whole training, which can be killed at any moment: teachers first, if there are any, then the model."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from cedtag.errors import InputError
from cedtag.evaluation import metrics
from cedtag.training.feed import num_batches
from cedtag.training.loop import Trainer, config_of, device_of, score
from cedtag.training.settings import TEACHER_LR, Teachers
from cedtag.training.state import TrainingState, load_state, save_state
from cedtag.training.teacher import ConvTeacher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from cedtag.inputs.segments import ReadClips
    from cedtag.model.config import CedConfig
    from cedtag.training.clip_file import Place
    from cedtag.training.clips import Clips
    from cedtag.training.feed import Feed
    from cedtag.training.settings import ModelFit, Recipe
    from cedtag.training.split import Split

FINAL_PHASE = "model"


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What is trained on what, and in which folder the state is.

    Only a state of equal `identity` is resumed. `patience` is the number of epochs without a better validation that end
    the training.
    """

    folder: Path
    recipe: Recipe
    fit: ModelFit
    train: Feed
    identity: Mapping[str, Any]
    valid: Clips | None = None
    patience: int = 0
    teachers: Teachers = field(default_factory=Teachers)
    save_every_s: float = 60.0


@dataclass(frozen=True, slots=True)
class TrainingCallbacks:
    """Functions that are called while a training goes on.

    `on_data` is called with the examples before anything is done; `on_decoding` with the number of clips before they
    are decoded, `on_recording` with what became of each recording, and `on_clip` after each clip; `on_begin` with
    phase, epoch, number of epochs and number of steps before an epoch, `on_step` after each step, and `on_epoch` with
    its row of the log after it.
    """

    on_data: Callable[[Split], object] = lambda split: None
    on_decoding: Callable[[int], object] = lambda clips: None
    on_recording: Callable[[ReadClips[Place]], object] = lambda read: None
    on_clip: Callable[[], object] = lambda: None
    on_begin: Callable[[str, int, int, int], object] = lambda phase, epoch, epochs, steps: None
    on_step: Callable[[], object] = lambda: None
    on_epoch: Callable[[dict[str, Any]], object] = lambda row: None


@dataclass(frozen=True, slots=True)
class _Run:
    """A training that goes on: its plan and state, and the functions that it calls."""

    plan: TrainingPlan
    state: TrainingState
    keep: Callable[[nn.Module], object]
    callbacks: TrainingCallbacks


def train(
    model: nn.Module,
    plan: TrainingPlan,
    keep: Callable[[nn.Module], object],
    callbacks: TrainingCallbacks | None = None,
) -> list[dict[str, Any]]:
    """Train `model`, from where a killed training of equal identity stopped; the log, one row per epoch.

    `keep` is called with each better model: by its validation, or without one with the model after the last epoch.
    """
    if plan.valid is not None and not metrics.has_both_labels(plan.valid.targets.double().numpy()).any():
        raise InputError("the validation clips all have the same labels, so nothing can be measured; choose others")
    state = load_state(plan.folder, plan.identity) or TrainingState()
    run = _Run(plan, state, keep, callbacks or TrainingCallbacks())
    teachers = [_teacher(run, number, model) for number in range(plan.teachers.num_teachers)]
    _train_one(Trainer(model, plan.recipe, plan.fit, teachers), FINAL_PHASE, run)
    return state.history


def _teacher(run: _Run, number: int, model: nn.Module) -> ConvTeacher:
    """A trained teacher: trained now, unless its weights are in the state."""
    plan, state = run.plan, run.state
    recipe = replace(plan.recipe, epochs=plan.teachers.teacher_epochs, seed=plan.recipe.seed * 1000 + number + 1)
    teacher = _new_teacher(config_of(model), recipe.seed).to(device_of(model))
    if number == len(state.teachers):
        trainer = Trainer(teacher, recipe, replace(plan.fit, lr=TEACHER_LR))
        _train_one(trainer, f"teacher {number + 1}", run)
        state.teachers.append(trainer.average.state_dict())
        state.trainer = None
    teacher.load_state_dict(state.teachers[number])
    return teacher


def _train_one(trainer: Trainer, phase: str, run: _Run) -> None:
    """Train until the recipe's last epoch or the end of patience, saving the state now and then."""
    plan, state = run.plan, run.state
    is_final = phase == FINAL_PHASE
    if state.trainer is not None:
        trainer.load(state.trainer)
    saved_at = time.monotonic()
    while not _is_done(trainer, plan, state.history if is_final else []):
        row = _train_epoch(trainer, phase, run)
        state.history.append(row)
        run.callbacks.on_epoch(row)
        done = _is_done(trainer, plan, state.history if is_final else [])
        if is_final and (done if plan.valid is None else best_epoch(state.history) == trainer.epoch):
            run.keep(trainer.average)
        if done or time.monotonic() - saved_at >= plan.save_every_s:
            state.trainer = trainer.state()
            save_state(plan.folder, plan.identity, state)
            saved_at = time.monotonic()


def _train_epoch(trainer: Trainer, phase: str, run: _Run) -> dict[str, Any]:
    """Train for one epoch; its row of the log."""
    steps = num_batches(run.plan.train, trainer.recipe)
    run.callbacks.on_begin(phase, trainer.epoch + 1, trainer.recipe.epochs, steps)
    loss = trainer.run_epoch(run.plan.train, run.callbacks.on_step)
    row = {"phase": phase, "epoch": trainer.epoch, "lr": trainer.optimizer.param_groups[0]["lr"], "loss": loss}
    if run.plan.valid is not None:
        row |= validate(trainer, run.plan.valid)
    return row


def _is_done(trainer: Trainer, plan: TrainingPlan, history: Sequence[Mapping[str, Any]]) -> bool:
    """Whether this was the last epoch, or with a history and patience one too many without a better validation."""
    if trainer.epoch >= trainer.recipe.epochs:
        return True
    validated = plan.valid is not None and any(row["phase"] == FINAL_PHASE for row in history)
    return bool(validated and plan.patience) and trainer.epoch - best_epoch(history) >= plan.patience


def validate(trainer: Trainer, clips: Clips) -> dict[str, float]:
    """Macro mAP and, where every clip has one label, accuracy of the averaged weights."""
    truth = clips.targets.double().numpy()
    scores = score(trainer.average, clips, trainer.fit.window_frames, trainer.recipe.loss)
    shown = {"mAP", "accuracy"}
    measures = metrics.measure_all(truth, scores, resamples=0)
    return {f"valid {measure.name}": measure.value for measure in measures if measure.name in shown}


def best_epoch(history: Sequence[Mapping[str, Any]]) -> int:
    """The first epoch of the model's best validation."""
    rows = [row for row in history if row["phase"] == FINAL_PHASE]
    return int(max(rows, key=lambda row: (row["valid mAP"], -row["epoch"]))["epoch"])


def _new_teacher(config: CedConfig, seed: int) -> ConvTeacher:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ConvTeacher(config.n_mels, config.outputdim)
