"""Which clips are trained on, and which validate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cedtag.errors import AudioError, InputError
from cedtag.inputs.manifest import (
    classes_of,
    examples_digest,
    files_of,
    read_examples,
    require_audio,
    select_folds,
)
from cedtag.training.hold_out import check_apart, sources_of, split_off

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.inputs.manifest import Example
    from cedtag.training.settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class Split:
    """The examples to train on, those to validate on, the classes of both, and all recordings of the data."""

    train: list[Example]
    valid: list[Example]
    classes: tuple[str, ...]
    files: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What decides the weights of a training on these examples."""
        return {
            "data": examples_digest(self.train),
            "clips": len(self.train),
            "validation_data": examples_digest(self.valid),
            "validation_clips": len(self.valid),
        }

    def of_used(self, train: list[Example], valid: list[Example]) -> Split:
        """The split of those examples that can be used; AudioError if a class, or the validation, has none left."""
        trained = set(classes_of(train))
        if lost := [name for name in self.classes if name not in trained]:
            raise AudioError(
                f"no clip to train on that is labelled {lost[0]!r} can be used; mend or replace its recordings, or "
                "leave the class out"
            )
        if len(self.classes) == 1 and all(example.labels for example in train):
            raise AudioError(f"no clip to train on that is not labelled {self.classes[0]!r} can be used; mend some")
        if self.valid and not valid:
            raise AudioError("no clip to validate on can be used; mend or replace their recordings, or choose others")
        return replace(self, train=train, valid=valid)

    def clips_per_class(self) -> dict[str, int]:
        """The number of clips to train on of each class."""
        return {name: sum(name in example.labels for example in self.train) for name in self.classes}


def split_examples(data: Path, settings: TrainingSettings) -> Split:
    """Read the examples and part them; InputError for data from which nothing can be learned."""
    examples = read_examples(data, settings.selection.audio)
    train, valid = _parted(examples, settings)
    require_audio(data, train)
    split = Split(train, valid, classes_of([*train, *valid]), tuple(files_of(examples)))
    _check(data, split, settings.recipe.loss)
    return split


def _parted(examples: list[Example], settings: TrainingSettings) -> tuple[list[Example], list[Example]]:
    folds, validation = settings.selection.folds, settings.validation
    valid = select_folds(examples, validation.valid_folds) if validation.valid_folds else []
    if both := set(folds) & set(validation.valid_folds):
        raise InputError(f"fold {min(both)}: cannot be trained on and validated on")
    train = [one for one in select_folds(examples, folds) if one.fold not in validation.valid_folds]
    if valid and validation.valid_split:
        raise InputError("`valid_folds` and `valid_split` exclude each other; use one of them")
    sources = sources_of(examples, validation.group_by)
    if validation.valid_split:
        train, valid = split_off(train, validation.valid_split, settings.recipe.seed, sources)
    check_apart(train, valid, sources)
    return train, valid


def _check(data: Path, split: Split, loss: str) -> None:
    trained = set(classes_of(split.train))
    if not split.classes:
        raise InputError(f"{data}: no clip has a label")
    if len(split.classes) < 2 and all(example.labels for example in split.train):
        raise InputError(
            f"{data}: holds only one class ({split.classes[0]}); training needs another, or clips without it"
        )
    if missing := [name for name in split.classes if name not in trained]:
        raise InputError(f"{data}: no clip to train on is labelled {missing[0]!r}; add some or leave the class out")
    if loss == "ce" and any(len(example.labels) != 1 for example in [*split.train, *split.valid]):
        raise InputError(f"{data}: some clips have several labels or none, which `loss` ce cannot learn; use bce")
