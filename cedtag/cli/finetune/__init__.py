"""`cedtag finetune`: train a checkpoint on recordings of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cedtag.cli.shared.options import SectionedCommand, model_options, option, options_in

SCRATCH_LR, TUNING_LR = 1e-3, 1e-4


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line, an attribute per option."""

    data: Path
    output: Path
    resume: bool
    overwrite: bool
    half: bool
    save_every_s: float
    model: str
    offline: bool
    cache_dir: str | None
    from_config: str | None
    freeze_encoder: bool
    num_teachers: int
    audio: Path | None
    folds: tuple[str, ...]
    valid_folds: tuple[str, ...]
    valid_split: float
    balance: bool
    epochs: int
    teacher_epochs: int
    batch_size: int
    lr: float | None
    weight_decay: float
    warm_up_epochs: float
    ema: float
    loss: str
    distill_weight: float
    hint_weight: float
    patience: int
    seed: int
    crop_s: tuple[float, float]
    mixup: float
    gain_db: float
    eq_db: float
    stretch: float
    shift_mels: int
    mask_mels: int
    mask_share: float
    device: str
    precision: str
    threads: int | None
    progress: bool | None
    quiet: bool


data_options = options_in(
    "Data",
    option(
        "--audio",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="Where the manifest's files are.  [default: beside it]",
    ),
    option("--fold", "folds", multiple=True, metavar="F", help="Use only the rows of this fold; repeatable."),
)


@click.command("finetune", cls=SectionedCommand)
@click.argument("data", type=click.Path(path_type=Path))
@options_in(
    "Result",
    option(
        "-o",
        "--output",
        type=click.Path(file_okay=False, path_type=Path),
        required=True,
        metavar="DIR",
        help="The new checkpoint, a folder to give to -m.",
    ),
    option("--resume/--no-resume", default=True, show_default=True, help="Go on with a training that was stopped."),
    option("--overwrite", is_flag=True, help="Start again over what the folder holds."),
    option("--half", is_flag=True, help="Save the weights in half precision."),
    option(
        "--save-every",
        "save_every_s",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        metavar="S",
        help="Seconds between two saved states, at the end of an epoch.",
    ),
)
@model_options
@options_in(
    "Model",
    option(
        "--from-config",
        metavar="SIZE|FILE",
        help="Start from random weights: tiny, mini, small, base, or a config.json.",
    ),
    option("--freeze-encoder", is_flag=True, help="Train the head alone (a linear probe)."),
    option(
        "--teachers",
        "num_teachers",
        type=click.IntRange(0, 16),
        default=0,
        show_default=True,
        metavar="N",
        help="First train N small convolutional networks to learn from: better with few clips.",
    ),
)
@data_options
@options_in(
    "Data",
    option(
        "--valid-fold",
        "valid_folds",
        multiple=True,
        metavar="F",
        help="Validate on this fold, and keep the best epoch; repeatable.",
    ),
    option(
        "--valid-split",
        type=click.FloatRange(0, 0.9),
        default=0.0,
        metavar="SHARE",
        help="Validate on this share of the clips, drawn by the seed.",
    ),
    option("--balance/--no-balance", default=False, show_default=True, help="Draw clips of rare classes more often."),
)
@options_in(
    "Training",
    option("--epochs", type=click.IntRange(1), default=30, show_default=True, help="Passes over the data."),
    option(
        "--teacher-epochs", type=click.IntRange(1), default=60, show_default=True, help="Passes of each of --teachers."
    ),
    option("-b", "--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Clips in one step."),
    option(
        "--lr",
        type=click.FloatRange(0, min_open=True),
        help=f"Highest learning rate.  [default: {TUNING_LR:g}; from random weights {SCRATCH_LR:g}]",
    ),
    option("--weight-decay", type=click.FloatRange(0), default=0.05, show_default=True, help="Of AdamW."),
    option(
        "--warm-up",
        "warm_up_epochs",
        type=click.FloatRange(0),
        default=5.0,
        show_default=True,
        metavar="EPOCHS",
        help="Epochs in which the learning rate rises.",
    ),
    option(
        "--ema",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.998,
        show_default=True,
        help="Decay of the averaged weights, which are what is kept; 0: none.",
    ),
    option(
        "--loss",
        type=click.Choice(["bce", "ce"]),
        default="bce",
        show_default=True,
        help="bce: any number of classes at once; ce: exactly one.",
    ),
    option(
        "--distill-weight",
        type=click.FloatRange(0, 1),
        default=0.8,
        show_default=True,
        help="How much the teachers' answers count beside the labels.",
    ),
    option(
        "--hint-weight",
        type=click.FloatRange(0),
        default=1.0,
        show_default=True,
        help="How much it counts to see what the teachers see, place by place.",
    ),
    option(
        "--patience",
        type=click.IntRange(0),
        default=0,
        metavar="EPOCHS",
        help="Stop after so many epochs without a better validation; 0: never.",
    ),
    option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Equal seeds give equal weights."),
)
@options_in(
    "Variation of the clips",
    option(
        "--crop",
        "crop_s",
        type=(float, float),
        default=(2.5, 5.0),
        show_default=True,
        metavar="MIN MAX",
        help="Seconds of a crop, drawn for each batch.",
    ),
    option(
        "--mixup",
        type=click.FloatRange(0, 1),
        default=0.8,
        show_default=True,
        help="Share of batches whose clips are mixed in pairs.",
    ),
    option(
        "--gain",
        "gain_db",
        type=click.FloatRange(0),
        default=10.0,
        show_default=True,
        metavar="DB",
        help="Louder or softer by up to so many dB.",
    ),
    option(
        "--eq",
        "eq_db",
        type=click.FloatRange(0),
        default=6.0,
        show_default=True,
        metavar="DB",
        help="Bands of mel bins louder or softer by up to so many dB.",
    ),
    option(
        "--stretch",
        type=click.FloatRange(0, 1),
        default=0.2,
        show_default=True,
        help="Faster or slower by up to this share.",
    ),
    option(
        "--shift-mels",
        type=click.IntRange(0),
        default=3,
        show_default=True,
        help="Higher or lower by up to so many mel bins.",
    ),
    option(
        "--mask-mels",
        type=click.IntRange(0),
        default=12,
        show_default=True,
        help="Widest band of mel bins that is masked.",
    ),
    option(
        "--mask-share",
        type=click.FloatRange(0, 0.9),
        default=0.12,
        show_default=True,
        help="Longest stretch of a crop that is masked.",
    ),
)
@options_in(
    "Engine",
    option("-d", "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N, mps."),
    option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
        default="auto",
        show_default=True,
        help="Of the training; half precision needs a GPU.",
    ),
    option("--threads", type=click.IntRange(1), help="[default: what this process may use]"),
    option("--progress/--no-progress", default=None, help="A bar.  [default: on a terminal]"),
    option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
)
def command(**options: Any) -> None:
    """Train a model on DATA: a folder with one sub-folder per class, or a manifest.

    A manifest is a CSV or TSV file with the columns file,labels and, if need be, start, end (seconds) and fold; several
    labels are separated by ";". Labels are AudioSet's names or MIDs, or any of your own.

    \b
    cedtag finetune birds/ -o my-birds                        from ced-tiny, with a new head
    cedtag finetune data.csv --valid-fold 4 -o mine           keep the epoch that is best on fold 4
    cedtag finetune data.csv --from-config tiny -o mine       from random weights
    cedtag recording.wav -m my-birds                          use it
    """
    from cedtag.cli.finetune.run import finetune

    finetune(Options(**options))
