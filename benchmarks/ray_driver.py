"""The memory of the driver of a Ray run, and what a recording costs it, with actors that score nothing.

    python -m benchmarks.ray_driver --recordings 1000000 --actors 2

Needs the package ray; starts a cluster on this machine. Prints the resident memory of this process as the run goes on.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from cedtag.checkpoints.locate import resolve
from cedtag.records import FileEnd, ScoredWindow, Source
from cedtag.run.cluster import Cluster
from cedtag.run.on_ray import cluster_outcomes, member
from cedtag.run.on_ray.actor import Actor, Answer
from cedtag.run.settings import RunSettings
from cedtag.run.tag_recipe import tag_recipe
from cedtag.scoring import Compute, load_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cedtag.run.on_ray.parcel import Parcel

NUM_CLASSES = 527


class IdleActor(Actor):
    """Gives one window of zeros for each recording, which need not exist."""

    def load(self, parcel: Parcel, cpus: int) -> dict[str, Any]:
        return {"backend": "torch", "device": "cpu", "precision": "fp32", "batch-size": 4}

    def score(self, call: int, sources: Sequence[Source]) -> Answer:
        scores = np.zeros(NUM_CLASSES, np.float32)
        windows = [ScoredWindow(source, 0, 0, 160_000, scores) for source in sources]
        ends = [FileEnd(source, 160_000, 1) for source in sources]
        return Answer([outcome for pair in zip(windows, ends, strict=True) for outcome in pair], is_last=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=100_000)
    parser.add_argument("--actors", type=int, default=2)
    arguments = parser.parse_args()
    member.Actor = IdleActor  # type: ignore[misc]
    model = load_model(resolve("demo"), Compute(device="cpu"))
    cluster = Cluster("ray", actors=arguments.actors, actor_cpus=1)
    recipe = tag_recipe(model, RunSettings())
    done = sum(1 for _ in watched(cluster_outcomes(sources(arguments.recordings), recipe, cluster)))
    click.echo(f"{done:,} outcomes")


def sources(number: int) -> Iterator[Source]:
    for index in range(number):
        name = f"/archive/{index // 1000:04}/{index:07}.flac"
        yield Source(name, name, name, size=100_000, mtime_ns=index)


def watched(outcomes: Iterator[Any]) -> Iterator[Any]:
    began, ends = time.perf_counter(), 0
    for outcome in outcomes:
        ends += isinstance(outcome, FileEnd)
        if isinstance(outcome, FileEnd) and (ends & (ends - 1) == 0 or ends % 100_000 == 0) and ends >= 1024:
            each_ms = 1000 * (time.perf_counter() - began) / ends
            click.echo(
                f"{ends:>9,} recordings  {resident_mb():6.0f} MB now  {peak_mb():6.0f} MB peak  {each_ms:.2f} ms each"
            )
        yield outcome


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
