"""What a cluster costs on one machine: `python -m benchmarks.ray_overhead SMALL LARGE`.

SMALL and LARGE are folders of recordings of one kind, the second with several times as many. Each is tagged in this
process with a scoring thread for each processor, and by as many actors with a processor each; the difference of LARGE
and SMALL is the time of the work without the starts. Printed are both, and their ratio, in each round.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
from ray.cluster_utils import Cluster

from cedtag.system.machine import usable_cpus


@click.command(help=__doc__)
@click.argument("small", type=click.Path(exists=True))
@click.argument("large", type=click.Path(exists=True))
@click.option("-m", "--model", default="demo", show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
def main(small: str, large: str, model: str, rounds: int) -> None:
    cpus = str(usable_cpus())
    local = ("-j", cpus, "--threads", cpus)
    ray = ("--engine", "ray", "--actors", cpus, "--actor-cpus", "1")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": int(cpus), "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    ratios = []
    with TemporaryDirectory() as folder:
        for _ in range(rounds):
            in_one, on_ray = (_work_s(Path(folder), small, large, "-m", model, *options) for options in (local, ray))
            ratios.append(on_ray / in_one)
            click.echo(f"one process {in_one:.2f} s, actors {on_ray:.2f} s, ratio {ratios[-1]:.3f}")
    click.echo(f"median ratio {median(ratios):.3f}")
    cluster.shutdown()


def _work_s(folder: Path, small: str, large: str, *options: str) -> float:
    return _seconds(folder, large, *options) - _seconds(folder, small, *options)


def _seconds(folder: Path, recordings: str, *options: str) -> float:
    start = time.monotonic()
    words = [recordings, *options, "-o", str(folder / "rows.csv"), "--overwrite", "-q"]
    subprocess.run([sys.executable, "-m", "cedtag", *words], check=True)
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
