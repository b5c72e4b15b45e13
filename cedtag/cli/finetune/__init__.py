"""`cedtag finetune`: train a checkpoint on recordings of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.evaluate.options import progress_options
from cedtag.cli.finetune.options import folder_options, training_options
from cedtag.cli.shared.options import SectionedCommand
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from cedtag.cli.shared.options import Logging
    from cedtag.training.settings import TrainingFolder, TrainingSettings


@click.command("finetune", cls=SectionedCommand)
@click.argument("data", type=click.Path(path_type=Path))
@folder_options
@training_options
@progress_options
def command(data: Path, output: TrainingFolder, settings: TrainingSettings, logging: Logging) -> int:
    """Train a model on labelled recordings.

    DATA is a folder with one sub-folder per class, or a manifest: a CSV or TSV file with the columns file,labels and,
    where needed, start, end (seconds) and fold; several labels are separated by ";". Labels are AudioSet's names or
    MIDs, or any of your own.

    \b
    cedtag finetune birds/ -o my-birds                   from ced-tiny, new head
    cedtag finetune data.csv --valid-fold 4 -o mine      keep the best on fold 4
    cedtag finetune data.csv --from-config tiny -o mine  from random weights
    cedtag recording.wav -m my-birds                     use it
    """
    from cedtag.cli.shared.interrupts import Interrupted, Interrupts
    from cedtag.system.extras import require

    require("torch", "training needs torch")

    Interrupts().install()  # before torch is loaded, so that a stop ends with the same words at any time
    try:
        from cedtag.cli.finetune.run import finetune_and_show

        return finetune_and_show(data, output, settings, logging)
    except Interrupted:
        folder = printable(str(output.folder))
        click.echo(f"cedtag: {folder}: stopped; run the same command again to go on", err=True)
        raise
