"""From files to rows, as a user runs it, and the plain loop that it is compared with."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from benchmarks.costs import Cost, busy_neighbour, cost_of, run_alone
from cedtag.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def tagging_case(
    recordings: Path, checkpoint: Path, length_s: float, *options: str, beside_hog: bool = False
) -> Callable[[], Cost]:
    """What `cedtag` takes for ten seconds of audio, from files to CSV, loading the model included."""
    output = recordings.with_suffix(".csv")
    arguments = [str(recordings), "-m", str(checkpoint), "-o", str(output), "--overwrite", "-q", "-t", "0.5", *options]

    def tag() -> None:
        if code := run(arguments):
            raise SystemExit(f"cedtag {' '.join(arguments)}: exit code {code}")

    def measured() -> Cost:
        with busy_neighbour() if beside_hog else nullcontext():
            return cost_of(tag).per(length_s / 10)

    return measured


def plain_loop_case(
    recordings: Path, checkpoint: Path, length_s: float, num_threads: int, *, beside_hog: bool = False
) -> Callable[[], Cost]:
    """What the plain loop takes for ten seconds of audio, the model being loaded."""
    arguments = ("-m", "benchmarks.plain_loop", str(recordings), str(checkpoint), str(num_threads))

    def measured() -> Cost:
        with busy_neighbour() if beside_hog else nullcontext():
            wall_s, cpu_s = run_alone(*arguments).split()
        return Cost(float(wall_s), float(cpu_s)).per(length_s / 10)

    return measured
