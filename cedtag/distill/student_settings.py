"""The settings of a student's training, and which of them decide its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cedtag.checkpoints.choice import ModelChoice
from cedtag.errors import InputError
from cedtag.training.settings import Recipe, Start, TrainingCompute, TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cedtag.training.settings import ModelFit


@dataclass(frozen=True, slots=True)
class ViewChoice:
    """What of a store is learned, and how.

    The recordings lie below `data`, a folder or the folder of a manifest; by None, where they were when they were
    stored. Without `consistent` other views than the teachers' are learned with their probabilities. `labels_weight` is
    the share of the labels in `data`, if it has some.
    """

    data: Path | None = None
    consistent: bool = True
    labels_weight: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.labels_weight <= 1:
            raise InputError(f"`labels_weight` {self.labels_weight:g}: expected a number from 0 to 1")


def student_recipe(
    epochs: int = 30,
    batch_size: int = 128,
    lr: float | None = None,
    weight_decay: float = 0.05,
    warm_up_epochs: float = 5.0,
    ema: float = 0.998,
    seed: int = 0,
) -> Recipe:
    """The recipe of a student, which is that of any training without what concerns labels and augmentation."""
    return Recipe(epochs, batch_size, lr, weight_decay, warm_up_epochs, ema, seed=seed)


@dataclass(frozen=True, slots=True)
class StudentSettings:
    """All settings of a student's training besides its store and its folder, one value per group."""

    views: ViewChoice = field(default_factory=ViewChoice)
    choice: ModelChoice = field(default_factory=ModelChoice)
    start: Start = field(default_factory=Start)
    recipe: Recipe = field(default_factory=student_recipe)
    compute: TrainingCompute = field(default_factory=TrainingCompute)

    def training(self) -> TrainingSettings:
        """The same as settings of any training."""
        return TrainingSettings(choice=self.choice, start=self.start, recipe=self.recipe, compute=self.compute)


def identity(settings: StudentSettings, fit: ModelFit, data: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that decides the weights, for the state and the card: only equal trainings resume each other."""
    recipe, views = settings.recipe, settings.views
    return {
        **data,
        "freeze_encoder": settings.start.freeze_encoder,
        "consistent": views.consistent,
        "labels_weight": views.labels_weight,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "lr": fit.lr,
        "weight_decay": recipe.weight_decay,
        "warm_up_epochs": recipe.warm_up_epochs,
        "ema": recipe.ema,
        "seed": recipe.seed,
        "precision": fit.precision,
        "threads": settings.compute.threads,
    }
