"""What int8 changes: `python -m benchmarks.int8_error CHECKPOINT PATH...`, with a trained model and real recordings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import numpy as np

from cedtag.audio import AUDIO_SUFFIXES, open_recording
from cedtag.checkpoints.locate import resolve
from cedtag.inputs.sources import Search, find_sources
from cedtag.records import ScoredWindow
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.scoring import open_scorer

if TYPE_CHECKING:
    from numpy.typing import NDArray


@click.command(help=__doc__)
@click.argument("checkpoint")
@click.argument("paths", nargs=-1, required=True)
@click.option("--window", type=float, default=10.0, show_default=True, help="Seconds.")
def main(checkpoint: str, paths: tuple[str, ...], window: float) -> None:
    scores = {precision: _scores(checkpoint, paths, precision, window) for precision in ("fp32", "int8")}
    change = np.abs(scores["int8"] - scores["fp32"])
    heard = scores["fp32"] >= 0.1
    top_changes = (scores["int8"].argmax(axis=1) != scores["fp32"].argmax(axis=1)).mean()
    torch_change = np.abs(_scores(checkpoint, paths, "fp32", window, "torch") - scores["fp32"]).max()
    for name, value in {
        "windows": f"{len(change)}",
        "largest change of a probability": f"{change.max():.4f}",
        "mean change": f"{change.mean():.5f}",
        "mean change of probabilities from 0.1 on": f"{change[heard].mean():.5f}" if heard.any() else "-",
        "windows whose top tag changes": f"{top_changes:.2%}",
        "largest difference of fp32 between torch and ONNX Runtime": f"{torch_change:.1e}",
    }.items():
        click.echo(f"| {name} | {value} |")


def _scores(
    checkpoint: str, paths: tuple[str, ...], precision: str, window_s: float, backend: str = "onnx"
) -> NDArray[np.float32]:
    scorer = open_scorer(resolve(checkpoint), backend, "cpu", precision)
    size = round(window_s * 16_000)
    search = Search(AUDIO_SUFFIXES, recursive=True)
    events = score_recordings(find_sources(paths, search), open_recording, scorer, PipelineSettings(size, size, 2, 2))
    rows = [event.probabilities for event in events if isinstance(event, ScoredWindow)]
    if not rows:
        raise click.UsageError("no recordings there")
    return np.array(rows)


if __name__ == "__main__":
    sys.exit(main())
