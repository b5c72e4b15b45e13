"""The rate of `cedtag distill store` as a share of that of plain scoring: `python -m benchmarks.distill_store`.

Recordings of a minute, 16 kHz mono WAV, which cost next to nothing to decode again, are stored in clips of ten seconds,
and scored plainly in the same windows as often as there are epochs, by the same model in the same number of threads, in
turn. The ratio is that of windows a second; nothing else is comparable between machines, or on a busy one.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from benchmarks import corpus
from benchmarks.costs import Cost, cost_of
from cedtag.audio import Decoders
from cedtag.checkpoints.locate import resolve
from cedtag.distill.run import store_views
from cedtag.distill.settings import DistillStoreCompute, DistillStoreSettings, TeacherChoice, ViewSettings
from cedtag.distill.teachers import load_teachers
from cedtag.inputs.search import Search
from cedtag.inputs.sources import find_sources
from cedtag.model.config import CedConfig
from cedtag.records import SAMPLE_RATE_HZ, Source
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.scoring import open_scorer
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from cedtag.scoring import Scorer

CLIP_S, RECORDING_S = 10, 60
SIZES = {
    "tiny": CedConfig(),
    "mini": CedConfig(embed_dim=256, num_heads=4),
    "small": CedConfig(embed_dim=384, num_heads=6),
    "base": CedConfig(embed_dim=768, num_heads=12),
}


@click.command(help=__doc__)
@click.option("--size", type=click.Choice(list(SIZES)), default="tiny", show_default=True)
@click.option("--recordings", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
def main(size: str, recordings: int, epochs: int, rounds: int) -> None:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checkpoint = str(corpus.write_checkpoint(folder / size, SIZES[size]))
        data = corpus.write_corpus(folder / "data", "wav", [RECORDING_S] * recordings, SAMPLE_RATE_HZ, 1)
        scorer = open_scorer(resolve(checkpoint), "torch", "cpu", "fp32")
        ratios = []
        for number in range(rounds + 1):
            plain = cost_of(lambda: score(data, scorer, epochs))
            stored = store(data, checkpoint, folder / "store", epochs)
            if number:  # the first one warms up
                ratios.append((plain.wall_s / stored.wall_s, plain.cpu_s / stored.cpu_s))
                click.echo(f"round {number}: {ratios[-1][0]:.3f} by time, {ratios[-1][1]:.3f} by processor time")
    by_time, by_cpu = (median(column) for column in zip(*ratios, strict=True))
    click.echo(f"rate of storing / rate of scoring: {by_time:.3f} by time, {by_cpu:.3f} by processor time")


def score(data: Path, scorer: Scorer, epochs: int) -> None:
    """Score all windows of the recordings so many times."""
    size = CLIP_S * SAMPLE_RATE_HZ
    plan = PipelineSettings(size, size, usable_cpus(), usable_cpus() + 1)
    sources = [found for found in find_sources([str(data)], Search()) if isinstance(found, Source)]
    with Decoders() as decoders, closing(score_recordings(sources * epochs, decoders.open, scorer, plan)) as outcomes:
        for _ in outcomes:
            pass


def store(data: Path, checkpoint: str, output: Path, epochs: int) -> Cost:
    """What it takes to store so many views of all clips of the recordings."""
    compute = DistillStoreCompute(device="cpu")
    settings = DistillStoreSettings(views=ViewSettings(epochs=epochs, chunk_s=CLIP_S), compute=compute)
    teachers = load_teachers(TeacherChoice((checkpoint,)), compute)
    cost = cost_of(lambda: store_views(data, teachers, output, settings))
    shutil.rmtree(output)
    return cost


if __name__ == "__main__":
    main()
