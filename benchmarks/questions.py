"""What questions to a large store cost: `python -m benchmarks.questions`, with generated scores of 1,000,000 windows.

Prints the seconds and the memory that each question needs beside what `cedtag` needs to start, on one thread. Scores
are like those of a tagger: most near 0, speech and music often high, about three of 0.1 and more in a window.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from cedtag.labels.table import audioset
from cedtag.records import FileEnd, TimedSource
from cedtag.store.facts import StoreFacts
from cedtag.store.parts import write_part
from cedtag.store.schema import ROWS_PER_GROUP, StoredRecording, record_type
from cedtag.store.write import WINDOWS_PER_PART, open_store_writer

if TYPE_CHECKING:
    from numpy.typing import NDArray

SETTINGS = {"model": "ced-tiny", "window": 10.0, "hop": 10.0, "refine": None, "raw": None, "precision": "fp32"}
SAMPLES = 160_000
QUESTIONS = (
    ["-t", "0.3", "--labels", "Dog", "-o", "dogs.csv"],
    ["-o", "best.csv"],
    ["-o", "best.jsonl"],
    ["--where", "Dog > 0.3 and not Speech > 0.5", "-o", "where.csv"],
    ["--level", "1", "-o", "level.csv"],
    ["--events", "--labels", "Dog", "-o", "events.csv"],
    #    ["--hours", "-o", "hours.csv"],
    #    ["--hours", "--by", "day", "-o", "days.csv"],
)


def make_store(path: Path, num_windows: int, per_recording: int) -> None:
    """A store of recordings with so many windows each, in parts as a run writes them."""
    facts = StoreFacts(SETTINGS, tuple(audioset()), None, {"backend": "torch"})
    open_store_writer(path, facts).close()
    scores = _scores(WINDOWS_PER_PART)
    number = 0
    for first in range(0, num_windows, WINDOWS_PER_PART):
        count = min(WINDOWS_PER_PART, num_windows - first)
        records = np.zeros(count, record_type(facts))
        records["scores"] = np.roll(scores, 977 * (first // WINDOWS_PER_PART), axis=0)[:count]
        recordings = []
        for row in range(0, count, per_recording):
            own = records[row : row + per_recording]
            own["id"], own["index"] = number, np.arange(len(own))
            own["start"] = own["index"] * SAMPLES
            own["stop"] = own["start"] + SAMPLES
            recordings.append(_recording(number, len(own), row))
            number += 1
        blocks = (records[at : at + ROWS_PER_GROUP] for at in range(0, count, ROWS_PER_GROUP))
        write_part(path, f"{first:08d}-000001", facts, blocks, recordings)


def _recording(number: int, num_windows: int, first_row: int) -> StoredRecording:
    relative = f"{number // 1000:04d}/{number:07d}.wav"
    name, began = (
        f"archive/{relative}",
        f"2024-{1 + number // 720 % 12:02d}-{1 + number // 24 % 28:02d}T{number % 24:02d}:00:00+00:00",
    )
    source = TimedSource(name, name, relative, "archive", 1000, number, began, at=f"/{name}")
    return StoredRecording(number, FileEnd(source, num_windows * SAMPLES, num_windows), "", first_row)


def _scores(count: int) -> NDArray[np.uint16]:
    """Ten thousandths `(windows, 527)`."""
    rng = np.random.default_rng(0)
    usual = rng.normal(-7.5, 1.2, 527).astype(np.float32)
    usual[[0, 137]] = -2, -3  # speech, music
    scores = np.empty((count, 527), np.uint16)
    for first in range(0, count, 4096):
        part = scores[first : first + 4096]
        logits = usual + rng.standard_normal(part.shape, np.float32) * np.float32(0.8)
        for _ in range(3):
            logits[np.arange(len(part)), rng.integers(0, 527, len(part))] += rng.uniform(3, 9, len(part))
        part[:] = np.rint(10_000 / (1 + np.exp(-logits)))
    return scores


def asked(folder: Path, question: list[str]) -> tuple[float, float, float]:
    """The seconds, the processor's seconds and the largest memory in MB of one question."""
    command = [sys.executable, "-m", "cedtag", *question]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, f"{question}: exit status {status}"
    return time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


@click.command(help=__doc__)
@click.option("--windows", default=1_000_000, show_default=True)
@click.option("--per-recording", default=360, show_default=True, help="Windows of each recording.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the store is kept for another call.")
def main(windows: int, per_recording: int, folder: Path | None) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        if not (place / "store").exists():
            # In a process of its own: the memory of this one would count for those that it starts.
            making = multiprocessing.Process(target=make_store, args=(place / "store", windows, per_recording))
            making.start()
            making.join()
        _, _, start_mb = asked(place, ["store", "info", "store"])
        click.echo(
            f"{windows:,} windows, {per_recording} a recording; memory above the {start_mb:.0f} MB of `store info`\n"
        )
        click.echo(f"{'passing':>9} {'processor':>9} {'memory':>7}")
        for question in QUESTIONS:
            passed_s, used_s, mb = asked(place, ["query", "store", *question, "--overwrite"])
            click.echo(f"{passed_s:7.1f} s {used_s:7.1f} s {mb - start_mb:4.0f} MB  {' '.join(question)}")


if __name__ == "__main__":
    main()
