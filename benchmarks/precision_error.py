"""What each backend and precision changes: `python -m benchmarks.precision_error CHECKPOINT PATH...`.

CHECKPOINT is a trained model or `random`, one of ced-tiny's shape with random weights; PATH are real recordings. Scores
are compared with those of torch in fp32.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks.corpus import write_checkpoint
from cedtag.audio import open_recording
from cedtag.checkpoints.locate import resolve
from cedtag.errors import InputError
from cedtag.inputs.search import Search
from cedtag.inputs.sources import find_sources
from cedtag.model.config import CedConfig
from cedtag.records import ScoredWindow
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.scoring import open_scorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

OTHERS = (("onnx", "fp32"), ("torch", "bf16"), ("onnx", "int8"))


@click.command(help=__doc__)
@click.argument("checkpoint")
@click.argument("paths", nargs=-1, required=True)
@click.option("--window", type=float, default=10.0, show_default=True, help="Seconds.")
def main(checkpoint: str, paths: tuple[str, ...], window: float) -> None:
    with TemporaryDirectory() as folder:
        if checkpoint == "random":
            checkpoint = str(write_checkpoint(Path(folder), CedConfig()))
        reference = scores_of(checkpoint, paths, window, "torch", "fp32")
        click.echo(f"{len(reference)} windows\n")
        click.echo("| backend | precision | largest change | mean | mean of scores from 0.1 on | other top tag |")
        click.echo("|---|---|---|---|---|---|")
        for backend, precision in OTHERS:
            changes = _changes(checkpoint, paths, window, (backend, precision), reference)
            click.echo(f"| {backend} | {precision} | {' | '.join(changes)} |")


def _changes(
    checkpoint: str, paths: tuple[str, ...], window_s: float, computed: tuple[str, str], reference: NDArray[np.float32]
) -> tuple[str, ...]:
    """What the table shows of a backend and a precision, or why there is nothing to show."""
    try:
        scores = scores_of(checkpoint, paths, window_s, *computed)
    except InputError as error:
        return (str(error), "", "", "")
    return changed(scores, reference)


def changed(scores: NDArray[np.float32], reference: NDArray[np.float32]) -> tuple[str, str, str, str]:
    """The largest change, the mean, that of scores from 0.1 on, and the share of windows with another best class."""
    change, heard = np.abs(scores - reference), reference >= 0.1
    mean_heard = f"{change[heard].mean():.2g}" if heard.any() else "-"
    top_changes = (scores.argmax(axis=1) != reference.argmax(axis=1)).mean()
    return f"{change.max():.2g}", f"{change.mean():.2g}", mean_heard, f"{top_changes:.2%}"


def scores_of(
    checkpoint: str, paths: tuple[str, ...], window_s: float, backend: str, precision: str
) -> NDArray[np.float32]:
    scorer = open_scorer(resolve(checkpoint), backend, "cpu", precision)
    size = round(window_s * 16_000)
    search = Search()
    events = score_recordings(find_sources(paths, search), open_recording, scorer, PipelineSettings(size, size, 2, 2))
    rows = [event.probabilities for event in events if isinstance(event, ScoredWindow)]
    if not rows:
        raise click.UsageError("no recordings there")
    return np.array(rows)


if __name__ == "__main__":
    sys.exit(main())
