"""A whole training, which can be killed at any moment: teachers first, where some are wanted, then the model."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch

from cedtag.errors import InputError, ModelError, OutputError
from cedtag.evaluation import metrics
from cedtag.system.atomic import writing_whole
from cedtag.training.loop import Recipe, Trainer, device_of, score
from cedtag.training.teacher import ConvTeacher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from cedtag.training.clips import Clips

STATE_NAME = "training_state.pt"
LOG_NAME = "metrics.jsonl"
FINAL_PHASE = "model"
# What torch.load raises on damaged files.
_UNREADABLE = (EOFError, KeyError, OSError, RuntimeError, ValueError, UnpicklingError)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is trained on what. `patience` is the number of epochs without a better validation that end the training.

    `settings` are all options that change the result: a state is only taken up by a run with equal ones.
    """

    folder: Path
    recipe: Recipe
    train: Clips
    settings: Mapping[str, Any]
    valid: Clips | None = None
    patience: int = 0
    num_teachers: int = 0
    teacher_recipe: Recipe = field(default_factory=Recipe)
    save_every_s: float = 60.0


@dataclass(slots=True)
class Progress:
    """How far a training is; `trainer` is the state of the one at work."""

    teachers: list[dict[str, Any]] = field(default_factory=list)
    trainer: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who wants to know: of an epoch that begins (phase, number, of how many), of every step, of every finished epoch
    (its row in the log), of every better model."""

    on_begin: Callable[[str, int, int], None] = lambda phase, epoch, epochs: None
    on_step: Callable[[], object] = lambda: None
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None
    on_better: Callable[[nn.Module], None] = lambda model: None


def train(model: nn.Module, plan: Plan, watch: Watch) -> list[dict[str, Any]]:
    """Train `model`, from where a killed run with equal settings stopped; return the log, one row per epoch.

    Every better model is handed to `watch.on_better`: by its validation, or else the one after the last epoch.
    """
    if plan.valid is not None and not metrics.has_both_labels(plan.valid.targets.double().numpy()).any():
        raise InputError("the validation clips all have the same labels, so nothing can be judged; choose others")
    progress = load_progress(plan.folder, plan.settings) or Progress()
    teachers = []
    for number in range(plan.num_teachers):
        teacher = _new_teacher(plan, number).to(device_of(model))
        if number == len(progress.teachers):
            trainer = Trainer(teacher, replace(plan.teacher_recipe, seed=_teacher_seed(plan, number)))
            _train_one(trainer, f"teacher {number + 1}", plan, progress, watch)
            progress.teachers.append(trainer.average.state_dict())
            progress.trainer = None
        teacher.load_state_dict(progress.teachers[number])
        teachers.append(teacher)
    _train_one(Trainer(model, plan.recipe, teachers), FINAL_PHASE, plan, progress, watch)
    return progress.history


def load_progress(folder: Path, settings: Mapping[str, Any]) -> Progress | None:
    """The progress of a run that was killed, None if there is none; one with other settings is an error."""
    path = folder / STATE_NAME
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ModelError(f"{path}: damaged; remove it to train from the start") from error
    before = json.loads(state["settings"])
    if different := [name for name in settings if before.get(name) != settings[name]]:
        changes = ", ".join(f"{name} was {before.get(name)} and is now {settings[name]}" for name in different)
        raise InputError(
            f"{folder}: holds a training with other settings ({changes}); go on with those, or --overwrite"
        )
    return Progress(state["teachers"], state["trainer"], json.loads(state["history"]))


def save_progress(folder: Path, settings: Mapping[str, Any], progress: Progress) -> None:
    """Write the state and the log, each whole or not at all."""
    state = {
        "settings": json.dumps(settings),
        "history": json.dumps(progress.history),
        "teachers": progress.teachers,
        "trainer": progress.trainer,
    }
    log = "".join(json.dumps(row) + "\n" for row in progress.history)
    try:
        with writing_whole(folder / STATE_NAME) as file:
            torch.save(state, file)
        with writing_whole(folder / LOG_NAME) as file:
            file.write(log.encode())
    # torch's writer turns a full disk into a RuntimeError.
    except (OSError, RuntimeError) as error:
        raise OutputError(
            f"{folder}: cannot save the training ({error}); free some space and run the same again"
        ) from error


def _train_one(trainer: Trainer, phase: str, plan: Plan, progress: Progress, watch: Watch) -> None:
    """Train until the recipe's last epoch or out of patience, saving now and then."""
    is_final = phase == FINAL_PHASE
    if progress.trainer is not None:
        trainer.load(progress.trainer)
    saved_at = time.monotonic()
    while not _is_done(trainer, plan, progress.history if is_final else []):
        begun = time.monotonic()
        watch.on_begin(phase, trainer.epoch + 1, trainer.recipe.epochs)
        loss = trainer.run_epoch(plan.train, watch.on_step)
        row = {"phase": phase, "epoch": trainer.epoch, "lr": trainer.optimizer.param_groups[0]["lr"], "loss": loss}
        if plan.valid is not None:
            row |= validate(trainer, plan.valid)
        row["seconds"] = round(time.monotonic() - begun, 3)
        progress.history.append(row)
        watch.on_epoch(row)
        done = _is_done(trainer, plan, progress.history if is_final else [])
        if is_final and (done if plan.valid is None else best_epoch(progress.history) == trainer.epoch):
            watch.on_better(trainer.average)
        if done or time.monotonic() - saved_at >= plan.save_every_s:
            progress.trainer = trainer.state()
            save_progress(plan.folder, plan.settings, progress)
            saved_at = time.monotonic()


def _is_done(trainer: Trainer, plan: Plan, history: Sequence[Mapping[str, Any]]) -> bool:
    """Whether this was the last epoch; only with a history and patience, one too many without a better validation."""
    if trainer.epoch >= trainer.recipe.epochs:
        return True
    validated = plan.valid is not None and any(row["phase"] == FINAL_PHASE for row in history)
    return bool(validated and plan.patience) and trainer.epoch - best_epoch(history) >= plan.patience


def validate(trainer: Trainer, clips: Clips) -> dict[str, float]:
    """Macro mAP and, where every clip has one label, accuracy of the averaged weights."""
    truth = clips.targets.double().numpy()
    scores = score(trainer.average, clips, trainer.recipe.window_frames)
    wanted = {"mAP", "accuracy"}
    measures = metrics.measure_all(truth, scores, resamples=0)
    return {f"valid {measure.name}": measure.value for measure in measures if measure.name in wanted}


def best_epoch(history: Sequence[Mapping[str, Any]]) -> int:
    """The first epoch of the model's best validation."""
    rows = [row for row in history if row["phase"] == FINAL_PHASE]
    return int(max(rows, key=lambda row: (row["valid mAP"], -row["epoch"]))["epoch"])


def _new_teacher(plan: Plan, number: int) -> ConvTeacher:
    num_mels = plan.train.features[0].shape[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_teacher_seed(plan, number))
        return ConvTeacher(num_mels, plan.train.targets.shape[1])


def _teacher_seed(plan: Plan, number: int) -> int:
    return plan.teacher_recipe.seed * 1000 + number + 1
