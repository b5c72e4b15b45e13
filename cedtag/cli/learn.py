"""`cedtag learn STORE YES NO -o FOLDER`: a class of one's own, from a few examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.common_options import note
from cedtag.cli.shared.options import SectionedCommand, gathered, option
from cedtag.cli.shared.store_model import store_model_options
from cedtag.learning.settings import MOST_SUGGESTED, LearningSettings

if TYPE_CHECKING:
    from cedtag.errors import AudioError
    from cedtag.learning.learn import Learned
    from cedtag.similar.settings import StoreModel

learning_options = gathered(
    "settings",
    LearningSettings,
    (
        "Class",
        [
            option(
                "folder",
                "-o",
                "--output",
                required=True,
                type=click.Path(file_okay=False, path_type=Path),
                metavar="FOLDER",
                help="Folder of the new checkpoint.",
            ),
            option("name", "--name", metavar="NAME", help="Name of the class.  [default: that of FOLDER]"),
            option("only", "--only", help="Leave out the classes of the old model."),
            option("overwrite", "--overwrite", help="Replace the checkpoint that is there, after new answers."),
        ],
    ),
    (
        "Suggestions",
        [
            option(
                "suggest",
                "--suggest",
                type=click.IntRange(0, MOST_SUGGESTED),
                metavar="N",
                help="Cut out the N windows that would teach the class most, with a file of labels to fill in.",
            ),
            option(
                "root",
                "--root",
                type=click.Path(path_type=Path),
                show_default=False,
                metavar="DIR",
                help="Folder where the paths in STORE begin.  [default: this folder]",
            ),
        ],
    ),
)


@click.command(cls=SectionedCommand)
@click.argument("path", metavar="STORE", type=click.Path(path_type=Path))
@click.argument("examples", nargs=-1, required=True, metavar="YES NO [LABELS.csv]...", type=click.Path())
@learning_options
@store_model_options
def command(path: Path, examples: tuple[str, ...], settings: LearningSettings, model: StoreModel) -> int:
    """Learn a class of your own from clips, on the embeddings of STORE, from `cedtag tag --store`.

    YES is a folder of clips of the class, NO one of other sounds. LABELS.csv holds the columns label (yes or no) and
    clip, or recording,start,end for places in STORE. FOLDER becomes a checkpoint with the classes of the model and this
    one.

    \b
    cedtag learn archive owls/ others/ -o tawny-owl --suggest 20
    cedtag learn archive owls/ others/ suggested.csv -o tawny-owl --overwrite
    cedtag recording.wav -m tawny-owl
    """
    from cedtag.cli.shared.failures import printable_traceback, run_code
    from cedtag.cli.shared.store_model import ClipReport, loader_of
    from cedtag.learning.learn import LearnCallbacks, learn
    from cedtag.store import open_store
    from cedtag.system.terminal import printable

    store, report = open_store(path), ClipReport()

    def failed(error: AudioError) -> None:
        report.failed += 1
        click.echo(f"{printable_traceback(error)}cedtag: {printable(str(error))}", err=True)

    learned = learn(store, examples, settings, loader_of(store, model), LearnCallbacks(report.add, failed))
    _tell(learned, settings)
    return run_code(complete=not report.failed)


def _tell(learned: Learned, settings: LearningSettings) -> None:
    """Say what was learned, how good it is, and what to do next."""
    name, folder = learned.head.label.name, settings.folder
    note(f"{folder}: {name}, learned from {learned.num_yes} clips that are yes and {learned.num_no} that are no")
    if learned.quality is None:
        note("its quality was not measured: that takes two clips that are yes, and two that are no")
    else:
        note(f"by cross-validation over clips it {learned.quality}")
    if learned.waiting:
        note(f"{learned.waiting} rows of the files of labels have no label yet")
    if learned.suggested is not None:
        note(f"{learned.suggested}: fill in yes or no, and add this file to the same command with --overwrite")
