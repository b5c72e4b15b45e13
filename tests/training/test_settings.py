"""Every setting that decides the weights also decides whether a state is resumed."""

from __future__ import annotations

import shutil
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cedtag.checkpoints.choice import ModelChoice
from cedtag.training import finetune as finetuning
from cedtag.training import start as starting
from cedtag.training.settings import (
    Augment,
    ModelFit,
    Recipe,
    TrainingFolder,
    TrainingSettings,
    identity,
)
from tests.hisses import write_hisses
from tests.micro import CHECKPOINT

# Setting -> another value, with which other weights come out.
DECISIVE: dict[str, Any] = {
    "selection.folds": ("0", "1"),
    "validation.valid_folds": ("2",),
    "validation.valid_split": 0.3,
    "validation.patience": 3,
    "choice.model": "demo",
    "start.from_config": "small.json",
    "start.freeze_encoder": True,
    "teachers.num_teachers": 1,
    "teachers.teacher_epochs": 7,
    "recipe.epochs": 7,
    "recipe.batch_size": 7,
    "recipe.lr": 0.5,
    "recipe.weight_decay": 0.5,
    "recipe.warm_up_epochs": 0.5,
    "recipe.ema": 0.5,
    "recipe.loss": "ce",
    "recipe.balance": True,
    "recipe.distill_weight": 0.5,
    "recipe.hint_weight": 0.5,
    "recipe.seed": 1,
    "recipe.augment.crop_s": (0.4, 0.5),
    "recipe.augment.stretch": 0.1,
    "recipe.augment.shift_mels": 1,
    "recipe.augment.gain_db": 1.0,
    "recipe.augment.eq_db": 1.0,
    "recipe.augment.mixup": 0.1,
    "recipe.augment.mixup_beta": 0.1,
    "recipe.augment.mask_mels": 1,
    "recipe.augment.mask_share": 0.1,
    "recipe.augment.num_masks": 1,
    "compute.precision": "bf16",
    "compute.threads": 1,
}
# Setting -> another value, with which the same weights come out, up to rounding.
HARMLESS: dict[str, Any] = {
    "selection.audio": Path("elsewhere"),
    "selection.keep_going": False,  # the clips that are really used are part of the identity
    "validation.group_by": r"(\d)\.wav",  # where it parts the clips otherwise, they are part of the identity
    "choice.offline": True,
    "choice.cache_dir": Path("cache"),
    "compute.device": "cpu",
    "output.folder": Path("other"),
    "output.resume": False,
    "output.overwrite": True,
    "output.half": True,
    "output.save_every_s": 0.0,
}
BASE = TrainingSettings(choice=ModelChoice(str(CHECKPOINT)), recipe=Recipe(augment=Augment(crop_s=(0.3, 0.6))))


class Reached(Exception):
    """Stands for a training that begins; its argument is the identity."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest in a folder to stand in, and no training: what would be one raises its identity."""
    monkeypatch.chdir(tmp_path)
    write_hisses(tmp_path)
    shutil.copytree("hisses", "elsewhere/hisses")

    def begin(model: object, plan: Any, *rest: object) -> None:
        raise Reached(plan.identity)

    monkeypatch.setattr(finetuning, "train", begin)
    monkeypatch.setattr(starting, "find_precision", lambda wanted, device: wanted)
    return Path("data.csv")


def identity_with(data: Path, name: str = "", value: object = None) -> object:
    """The identity of a training with one other setting."""
    group, _, rest = name.partition(".")
    settings, output = BASE, TrainingFolder(Path("mine"))
    if group == "output":
        output = replace(output, **{rest: value})
    elif name:
        settings = changed(settings, name, value)
    with pytest.raises(Reached) as reached:
        finetuning.finetune(data, output, settings)
    return reached.value.args[0]


def changed(settings: Any, name: str, value: object) -> Any:
    first, _, rest = name.partition(".")
    return replace(settings, **{first: changed(getattr(settings, first), rest, value) if rest else value})


def names(settings: Any, prefix: str = "") -> set[str]:
    """The fields of a dataclass and, in their place, those of the dataclasses in it."""
    values = {f"{prefix}{entry.name}": getattr(settings, entry.name) for entry in fields(settings)}
    return {
        one for name, value in values.items() for one in (names(value, f"{name}.") if is_dataclass(value) else {name})
    }


def test_every_setting_is_known_to_decide_the_weights_or_not_to() -> None:
    known = names(TrainingSettings()) | names(TrainingFolder(Path()), "output.")
    assert known == DECISIVE.keys() | HARMLESS.keys()
    assert not DECISIVE.keys() & HARMLESS.keys()


@pytest.mark.parametrize("name", DECISIVE)
def test_a_training_with_another_decisive_setting_is_another(data: Path, name: str) -> None:
    assert identity_with(data, name, DECISIVE[name]) != identity_with(data)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_training_with_another_harmless_setting_is_the_same(data: Path, name: str) -> None:
    assert identity_with(data, name, HARMLESS[name]) == identity_with(data)


@pytest.mark.parametrize("change", [{"lr": 0.1}, {"window_frames": 9}, {"precision": "bf16"}])
def test_what_the_model_makes_of_the_settings_decides_too(change: dict[str, Any]) -> None:
    fit = ModelFit(1e-3, 1008)
    assert identity(BASE, replace(fit, **change), (16, 32), {}) != identity(BASE, fit, (16, 32), {})
    assert identity(BASE, fit, (16, 33), {}) != identity(BASE, fit, (16, 32), {})


def test_the_identity_keeps_its_names_and_values_so_that_states_are_resumed() -> None:
    data = {"data": "589892d1d649a7f6", "clips": 8, "validation_clips": 4, "from": "small.json"}
    found = identity(TrainingSettings(), ModelFit(1e-4, 1012), (250, 500), data)
    assert list(found.items()) == [
        *data.items(),
        ("freeze_encoder", False),
        ("num_teachers", 0),
        ("teacher_epochs", 60),
        ("patience", 0),
        ("min_frames", 250),
        ("max_frames", 500),
        ("stretch", 0.2),
        ("shift_mels", 3),
        ("gain_db", 10.0),
        ("eq_db", 6.0),
        ("mixup", 0.8),
        ("mixup_beta", 0.5),
        ("mask_mels", 12),
        ("mask_share", 0.12),
        ("num_masks", 2),
        ("epochs", 30),
        ("batch_size", 32),
        ("lr", 1e-4),
        ("weight_decay", 0.05),
        ("warm_up_epochs", 5.0),
        ("ema", 0.998),
        ("loss", "bce"),
        ("balance", False),
        ("distill_weight", 0.8),
        ("hint_weight", 1.0),
        ("seed", 0),
        ("precision", "fp32"),
        ("threads", 2),
        ("window_frames", 1012),
        ("last_batch", "trained on"),
    ]


def test_the_learning_rate_is_higher_from_random_weights(data: Path) -> None:
    assert identity_with(data)["lr"] == 1e-4  # type: ignore[index]
    assert identity_with(data, "start.from_config", "small.json")["lr"] == 1e-3  # type: ignore[index]
