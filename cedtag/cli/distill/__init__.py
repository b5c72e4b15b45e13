"""`cedtag distill`: what teachers give for views of recordings, stored once, to train a student."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.distill.options import output_option, store_options, teacher_options
from cedtag.cli.distill.train_options import student_options
from cedtag.cli.evaluate.options import progress_options
from cedtag.cli.finetune.options import folder_options
from cedtag.cli.shared.options import Option, SectionedCommand
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from cedtag.cli.shared.options import Logging
    from cedtag.distill.settings import DistillStoreSettings, TeacherChoice
    from cedtag.distill.student_settings import StudentSettings
    from cedtag.training.settings import TrainingFolder


@click.group("distill")
def command() -> None:
    """Consistent ensemble distillation: a small model learns from large ones, and needs no labels.

    `store` asks the teachers once about a few random views of every clip and keeps their best classes; a training draws
    the same views again from the stored seed.
    """


@command.command("store", cls=SectionedCommand)
@click.argument("data", type=click.Path(path_type=Path))
@teacher_options
@output_option
@store_options
@progress_options
def store(data: Path, choice: TeacherChoice, output: Path, settings: DistillStoreSettings, logging: Logging) -> int:
    """Store what teachers give for random views of the clips in DATA.

    DATA is a folder of recordings, at any depth, or a manifest: a CSV or TSV file with the column file and, where
    needed, start, end (seconds) and fold. Labels are not needed. Stopped in any way, the same command goes on.

    \b
    cedtag distill store sounds/ -m base -o store           ten views a clip
    cedtag distill store sounds/ -m base -m small -o store  the mean of two
    cedtag distill store sounds/ -m base -o 1 --shard 1/4   a part of it
    cedtag distill info store
    """
    from cedtag.cli.shared.interrupts import Interrupted, Interrupts
    from cedtag.system.extras import require

    require("torch", "distillation needs torch")
    require("parquet", "distillation needs pyarrow")
    Interrupts().install()  # before torch is loaded, so that a stop ends with the same words at any time
    try:
        from cedtag.cli.distill.run import store_and_show

        return store_and_show(data, choice, output, settings, logging)
    except Interrupted:
        click.echo(f"cedtag: {printable(str(output))}: stopped; run the same command again to go on", err=True)
        raise


@command.command("train", cls=SectionedCommand)
@click.argument("store", type=click.Path(path_type=Path))
@folder_options
@student_options
@progress_options
def train(store: Path, output: TrainingFolder, settings: StudentSettings, logging: Logging) -> int:
    """Train a student on the views in STORE, with what the teachers gave for them.

    The views are drawn again from the recordings, which must be those that were stored; they may be elsewhere now
    (--data). Stopped in any way, the same command goes on.

    \b
    cedtag distill train store --from-config tiny -o student   from random weights
    cedtag distill train store -m mini -o student              from a checkpoint
    cedtag recording.wav -m student                            use it
    """
    from cedtag.cli.shared.interrupts import Interrupted, Interrupts
    from cedtag.system.extras import require

    require("torch", "distillation needs torch")
    require("parquet", "distillation needs pyarrow")
    Interrupts().install()  # before torch is loaded, so that a stop ends with the same words at any time
    try:
        from cedtag.cli.distill.train import train_and_show

        return train_and_show(store, output, settings, logging)
    except Interrupted:
        click.echo(f"cedtag: {printable(str(output.folder))}: stopped; run the same command again to go on", err=True)
        raise


@command.command("info", cls=SectionedCommand)
@click.argument("store", type=click.Path(path_type=Path))
@click.option(
    "-f",
    "--format",
    "format_name",
    cls=Option,
    section="Output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table, or one JSON object.",
)
def info(store: Path, format_name: str) -> None:
    """Describe STORE: its clips, epochs and teachers, its size as a share of 16-bit PCM, and the mean entropy.

    The entropy is that of a view's stored scores in bits, each class by itself.
    """
    from cedtag.cli.distill.info import show_info

    show_info(store, format_name)
