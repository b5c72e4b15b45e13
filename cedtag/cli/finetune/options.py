"""The options of training, gathered into the values that the library takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from cedtag.cli.evaluate.options import data_options
from cedtag.cli.shared.options import bundled, gathered, model_options, option
from cedtag.training.settings import (
    SCRATCH_LR,
    TUNING_LR,
    Augment,
    Recipe,
    Start,
    Teachers,
    TrainingCompute,
    TrainingFolder,
    TrainingSettings,
    Validation,
)

folder_options = gathered(
    "output",
    TrainingFolder,
    (
        "Output",
        [
            option(
                "folder",
                "-o",
                "--output",
                type=click.Path(file_okay=False, path_type=Path),
                required=True,
                metavar="DIR",
                help="Folder of the new checkpoint, for -m.",
            ),
            option(
                "resume",
                "--resume/--no-resume",
                help="Go on with a training that was stopped.  [default: resume]",
                show_default=False,
            ),
            option("overwrite", "--overwrite", help="Start again, whatever the folder holds."),
            option("half", "--half", help="Save the weights in half precision."),
            option(
                "save_every_s",
                "--save-every",
                type=click.FloatRange(min=0),
                metavar="S",
                help="Seconds between two saved states, at the end of an epoch.",
            ),
        ],
    ),
)

start_options = gathered(
    "start",
    Start,
    (
        "Model",
        [
            option(
                "from_config",
                "--from-config",
                metavar="SIZE|FILE",
                help="Start from random weights: tiny, mini, small, base, or a config.json.",
            ),
            option("freeze_encoder", "--freeze-encoder", help="Train the head alone (a linear probe)."),
        ],
    ),
)

# Of every training.
OPTIMISER = [
    option("epochs", "--epochs", type=click.IntRange(1), metavar="N", help="Passes over the data."),
    option("batch_size", "-b", "--batch-size", type=click.IntRange(1), metavar="N", help="Clips per step."),
    option(
        "lr",
        "--lr",
        type=click.FloatRange(0, min_open=True),
        metavar="X",
        help=f"Highest learning rate.  [default: {TUNING_LR:g}; from random weights {SCRATCH_LR:g}]",
    ),
    option("weight_decay", "--weight-decay", type=click.FloatRange(0), metavar="X", help="Weight decay of AdamW."),
    option(
        "warm_up_epochs",
        "--warm-up",
        type=click.FloatRange(0),
        metavar="EPOCHS",
        help="Epochs in which the learning rate rises.",
    ),
    option(
        "ema",
        "--ema",
        type=click.FloatRange(0, 1, max_open=True),
        metavar="X",
        help="Decay of the averaged weights, which are the ones that are kept; 0: no average.",
    ),
]
SEED = option("seed", "--seed", type=click.IntRange(0), metavar="N", help="Equal seeds give equal weights.")

_recipe_options = gathered(
    "plain",
    Recipe,
    ("Data", [option("balance", "--balance/--no-balance", help="Sample clips of rare classes more often.")]),
    (
        "Training",
        [
            *OPTIMISER,
            option(
                "loss",
                "--loss",
                type=click.Choice(["bce", "ce"]),
                help="bce: any number of classes at once; ce: exactly one.",
            ),
            option(
                "distill_weight",
                "--distill-weight",
                type=click.FloatRange(0, 1),
                metavar="X",
                help="Weight of the teachers' posteriors; the labels have the rest.",
            ),
            option(
                "hint_weight",
                "--hint-weight",
                type=click.FloatRange(0),
                metavar="X",
                help="Weight of the feature-distillation (FitNets hint) loss.",
            ),
            SEED,
        ],
    ),
)

_augment_options = gathered(
    "augment",
    Augment,
    (
        "Augmentation",
        [
            option(
                "crop_s",
                "--crop",
                type=(float, float),
                show_default=True,
                metavar="MIN MAX",
                help="Shortest and longest crop in seconds; each batch has its own length.",
            ),
            option(
                "mixup",
                "--mixup",
                type=click.FloatRange(0, 1),
                metavar="SHARE",
                help="Share of batches whose clips are mixed in pairs.",
            ),
            option("gain_db", "--gain", type=click.FloatRange(0), metavar="DB", help="Largest gain, up or down."),
            option(
                "eq_db",
                "--eq",
                type=click.FloatRange(0),
                metavar="DB",
                help="Largest gain of bands of mel bins, up or down.",
            ),
            option(
                "stretch",
                "--stretch",
                type=click.FloatRange(0, 1),
                metavar="SHARE",
                help="Largest change of speed, up or down.",
            ),
            option(
                "shift_mels",
                "--shift-mels",
                type=click.IntRange(0),
                metavar="N",
                help="Largest shift in mel bins, up or down.",
            ),
            option(
                "mask_mels",
                "--mask-mels",
                type=click.IntRange(0),
                metavar="N",
                help="Widest band of mel bins that is masked.",
            ),
            option(
                "mask_share",
                "--mask-share",
                type=click.FloatRange(0, 0.9),
                metavar="SHARE",
                help="Longest part of a crop that is masked.",
            ),
        ],
    ),
)


def _recipe(plain: Recipe, augment: Augment) -> Recipe:
    return replace(plain, augment=augment)


teacher_options = gathered(
    "teachers",
    Teachers,
    (
        "Training",
        [
            option(
                "num_teachers",
                "--teachers",
                type=click.IntRange(0, 16),
                metavar="N",
                help="First train N small convolutional networks as teachers: better with few clips.",
            ),
            option(
                "teacher_epochs",
                "--teacher-epochs",
                type=click.IntRange(1),
                metavar="N",
                help="Passes over the data of each teacher.",
            ),
        ],
    ),
)

validation_options = gathered(
    "validation",
    Validation,
    (
        "Data",
        [
            option(
                "valid_folds",
                "--valid-fold",
                metavar="F",
                help="Validate on this fold, and keep the best epoch; repeatable.",
            ),
            option(
                "valid_split",
                "--valid-split",
                type=click.FloatRange(0, 0.9),
                show_default=False,
                metavar="SHARE",
                help="Validate on this share of the clips, stratified by class and sampled with the seed.",
            ),
            option(
                "group_by",
                "--group-by",
                metavar="REGEX",
                help="Part of a file name that clips of one source share; such clips are never on both sides.",
            ),
        ],
    ),
    (
        "Training",
        [
            option(
                "patience",
                "--patience",
                type=click.IntRange(0),
                show_default=False,
                metavar="EPOCHS",
                help="Stop after so many epochs without a better validation; 0: never.",
            ),
        ],
    ),
)

compute_options = gathered(
    "compute",
    TrainingCompute,
    (
        "Compute",
        [
            option("device", "-d", "--device", metavar="DEVICE", help="auto, cpu, cuda[:N] or mps."),
            option(
                "precision",
                "--precision",
                type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
                help="Numbers that the model computes with; fp16 needs a GPU, bf16 one or a newer CPU.",
            ),
            option(
                "threads",
                "--threads",
                type=click.IntRange(1),
                metavar="N",
                help="Threads that compute; weights of another number differ by rounding.",
            ),
        ],
    ),
)

training_options = bundled(
    "settings",
    TrainingSettings,
    model_options,
    start_options,
    data_options,
    bundled("recipe", _recipe, _recipe_options, _augment_options),
    teacher_options,
    validation_options,
    compute_options,
)
