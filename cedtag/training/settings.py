"""The settings of a training, and which of them decide its weights."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cedtag.checkpoints.choice import ModelChoice
from cedtag.errors import InputError
from cedtag.inputs.data_settings import DataSettings
from cedtag.records import LONGEST_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TUNING_LR, SCRATCH_LR, TEACHER_LR = 1e-4, 1e-3, 2e-3
_MOST = 1_000_000  # of every number that nothing else bounds


@dataclass(frozen=True, slots=True)
class Augment:
    """How much clips are varied; 0 leaves a variation out.

    Crops last from `crop_s[0]` to `crop_s[1]` seconds, are slower or faster by up to the share `stretch`, and shifted
    by up to `shift_mels` mel bins. Gains of up to `gain_db` apply to all bins, and of up to `eq_db` to bands of them.
    In the share `mixup` of the batches clips are mixed in pairs, in proportions from a symmetric beta distribution.
    `num_masks` times, up to `mask_mels` bins and the share `mask_share` of the frames are masked.
    """

    crop_s: tuple[float, float] = (2.5, 5.0)
    stretch: float = 0.2
    shift_mels: int = 3
    gain_db: float = 10.0
    eq_db: float = 6.0
    mixup: float = 0.8
    mixup_beta: float = 0.5
    mask_mels: int = 12
    mask_share: float = 0.12
    num_masks: int = 2

    def __post_init__(self) -> None:
        _check(self, {"stretch": (0, 1), "mixup": (0, 1), "mask_share": (0, 0.9), "mixup_beta": (1e-6, _MOST)})
        _check(self, {"gain_db": (0, 200), "eq_db": (0, 200)})
        _check(self, {"shift_mels": (0, _MOST), "mask_mels": (0, _MOST), "num_masks": (0, _MOST)})
        if not all(0 < seconds <= LONGEST_S for seconds in self.crop_s):
            raise InputError(f"`crop_s` {self.crop_s}: expected the shortest and the longest crop in seconds")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the weights are optimised (AdamW) for a loss, "bce" or "ce"; equal recipes and data give equal weights.

    The learning rate rises to `lr` in `warm_up_epochs`, then falls to 0; None is 1e-4, or 1e-3 from random weights.
    `ema` is the decay of the averaged weights, which are the ones that are kept. With `balance` clips of rare classes
    are sampled more often. `distill_weight` and `hint_weight` count with teachers alone.
    """

    epochs: int = 30
    batch_size: int = 32
    lr: float | None = None
    weight_decay: float = 0.05
    warm_up_epochs: float = 5.0
    ema: float = 0.998
    loss: str = "bce"
    balance: bool = False
    distill_weight: float = 0.8
    hint_weight: float = 1.0
    seed: int = 0
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        _check(self, {"epochs": (1, _MOST), "batch_size": (1, 65_536), "weight_decay": (0, _MOST)})
        _check(self, {"warm_up_epochs": (0, _MOST), "ema": (0, 1), "distill_weight": (0, 1)})
        _check(self, {"hint_weight": (0, _MOST), "seed": (0, 2**63 - 1)})
        if self.lr is not None and not 0 < self.lr <= _MOST:
            raise InputError(f"`lr` {self.lr:g}: expected a number above 0, such as {TUNING_LR:g}")


@dataclass(frozen=True, slots=True)
class Teachers:
    """How many small convolutional networks are trained first, and for how long, so that the model learns from them."""

    num_teachers: int = 0
    teacher_epochs: int = 60

    def __post_init__(self) -> None:
        _check(self, {"num_teachers": (0, 16), "teacher_epochs": (1, _MOST)})


@dataclass(frozen=True, slots=True)
class Validation:
    """The clips on which epochs are compared, so that the best is kept: `valid_folds`, or a random share of them all.

    Clips of one source are never on both sides: those of one recording, of one `group` in the data, and those in whose
    names the regular expression `group_by` matches the same text (of its first group, where it has one).
    The training ends after `patience` epochs without a better one; 0 goes on to the last.
    """

    valid_folds: tuple[str, ...] = ()
    valid_split: float = 0.0
    group_by: str | None = None
    patience: int = 0

    def __post_init__(self) -> None:
        _check(self, {"valid_split": (0, 0.9), "patience": (0, _MOST)})
        try:
            re.compile(self.group_by or "")
        except re.error as error:
            raise InputError(f"`group_by` {self.group_by}: is no regular expression ({error})") from error


@dataclass(frozen=True, slots=True)
class Start:
    """What a training starts from in place of a checkpoint: random weights of the architecture `from_config`.

    That is "tiny", "mini", "small", "base" or the path of a `config.json`. With `freeze_encoder` a checkpoint's encoder
    stays as it is, and the head alone is trained.
    """

    from_config: str | None = None
    freeze_encoder: bool = False


@dataclass(frozen=True, slots=True)
class TrainingCompute:
    """What computes: `device` and `precision` as in `Compute`, and the number of torch's threads.

    Sums are rounded differently by another number of threads, so it is not that of the machine by default.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int = 2

    def __post_init__(self) -> None:
        _check(self, {"threads": (1, 1024)})


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """All settings of a training besides its data and its folder, one value per group."""

    selection: DataSettings = field(default_factory=DataSettings)
    validation: Validation = field(default_factory=Validation)
    choice: ModelChoice = field(default_factory=ModelChoice)
    start: Start = field(default_factory=Start)
    teachers: Teachers = field(default_factory=Teachers)
    recipe: Recipe = field(default_factory=Recipe)
    compute: TrainingCompute = field(default_factory=TrainingCompute)


@dataclass(frozen=True, slots=True)
class TrainingFolder:
    """Where the checkpoint goes, and what happens to what is there.

    With `resume` a training that was stopped goes on; with `overwrite` it starts again. Weights are written as float16
    with `half`. The state is saved after an epoch when the last time is `save_every_s` seconds ago.
    """

    folder: Path
    resume: bool = True
    overwrite: bool = False
    half: bool = False
    save_every_s: float = 60.0

    def __post_init__(self) -> None:
        _check(self, {"save_every_s": (0, LONGEST_S)})


@dataclass(frozen=True, slots=True)
class ModelFit:
    """What model and machine make of the settings: the learning rate, the frames of a window, the precision."""

    lr: float
    window_frames: int
    precision: str = "fp32"


def identity(
    settings: TrainingSettings, fit: ModelFit, crop_frames: tuple[int, int], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that decides the weights, for the state and the card: only equal trainings resume each other.

    `data` describes the examples and what the training starts from.
    """
    least, most = crop_frames
    recipe = asdict(settings.recipe)
    augment = recipe.pop("augment")
    del augment["crop_s"]
    return {
        **data,
        "freeze_encoder": settings.start.freeze_encoder,
        **asdict(settings.teachers),
        "patience": settings.validation.patience,
        "min_frames": least,
        "max_frames": most,
        **augment,
        **recipe,
        "lr": fit.lr,
        "precision": fit.precision,
        "threads": settings.compute.threads,
        "window_frames": fit.window_frames,
        "last_batch": "trained on",  # states of versions that left it out are not resumed
    }


def _check(settings: object, ranges: Mapping[str, tuple[float, float]]) -> None:
    """InputError for a field outside its range, of which both ends belong to it; NaN is outside of all."""
    for name, (least, most) in ranges.items():
        value = getattr(settings, name)
        if not least <= value <= most:
            raise InputError(f"`{name}` {value:g}: expected a number from {least:g} to {most:g}")
