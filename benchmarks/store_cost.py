"""What a store costs: `python -m benchmarks.store_cost ratio FOLDER -m MODEL`, and `growth --windows 10000000`.

`ratio` tags FOLDER with and without --store in turn and prints the processor time of each run, and the ratio of the
sums. `growth` writes a generated store of so many windows, and prints how long an empty and a full one take to be
opened, to take another part, and to be counted, and the peak of memory. The windows of its parts are one file, linked
again and again: neither adding nor counting reads them.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from cedtag.labels.table import audioset
from cedtag.records import FileEnd, ScoredWindow, Source
from cedtag.run.outputs.store import open_store_output
from cedtag.store.facts import StoreFacts
from cedtag.store.inspect import store_info
from cedtag.store.parts import part_path, write_part, write_recordings
from cedtag.store.schema import ROWS_PER_GROUP, WINDOWS, StoredRecording, record_type, recording_id
from cedtag.store.write import WINDOWS_PER_PART

FACTS = StoreFacts({"model": "generated", "window": 10.0, "hop": 10.0}, audioset(), 192, {"backend": "generated"})
SIZE = 160_000  # samples of a window
PER_RECORDING = 360  # windows: an hour


def cpu_s(command: list[str]) -> float:
    """The processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ratio(folder: str, model: str, rounds: int) -> None:
    """Print the processor time with and without a store."""
    usual = [sys.executable, "-m", "cedtag", "tag", folder, "-m", model, "-q", "--offline"]
    without, with_store = [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            for name in ("rows", "store") if number % 2 else ("store", "rows"):
                if name == "rows":
                    without.append(cpu_s([*usual, "-o", f"{place}/rows.csv"]))
                else:
                    with_store.append(cpu_s([*usual, "--store", f"{place}/store"]))
        click.echo(f"without {without[-1]:.2f} s, with {with_store[-1]:.2f} s")
    click.echo(f"ratio {sum(with_store) / sum(without):.4f}")


def recordings_of(part: int) -> list[StoredRecording]:
    """The outcomes of a generated part."""
    made, at = [], 0
    while at < WINDOWS_PER_PART:
        count = min(PER_RECORDING, WINDOWS_PER_PART - at)
        name = f"{part:05d}/{at:06d}.wav"
        source = Source(f"a/{name}", f"a/{name}", name, "a", 1, 1, at=f"/a/{name}")
        made.append(StoredRecording(recording_id(source), FileEnd(source, count * SIZE, count), "", at))
        at += count
    return made


def generate(path: Path, num_windows: int) -> None:
    """Write a store of so many windows."""
    random = np.random.default_rng(0)
    records = np.zeros(ROWS_PER_GROUP, record_type(FACTS))
    records["scores"] = (10_000 * random.random(records["scores"].shape, np.float32) ** 8).astype(np.uint16)
    records["embedding"] = random.standard_normal(records["embedding"].shape, np.float32)
    whole = [records] * (WINDOWS_PER_PART // ROWS_PER_GROUP)
    for part in range(num_windows // WINDOWS_PER_PART):
        name = f"00000000000001-generated-{part:06d}"
        windows = part_path(path, WINDOWS, name)
        if part == 0:
            write_part(path, name, FACTS, whole, recordings_of(part))
            first = windows
        else:
            write_recordings(path, name, FACTS, recordings_of(part))
            os.link(first, windows)


def append(path: Path, num_windows: int, name: str) -> tuple[float, float, float]:
    """Seconds to open a store, to add a recording of so many windows, and to make them a part."""
    source = Source(f"a/{name}", f"a/{name}", name, "a", 1, 1, at=f"/a/{name}")
    scores, vector = np.full(527, 0.1, np.float32), np.ones(192, np.float32)
    begun = time.perf_counter()
    output = open_store_output(path, FACTS)
    opened = time.perf_counter()
    for index in range(num_windows):
        start = index * SIZE
        output.write(ScoredWindow(source, index, start, start + SIZE, scores, embedding=vector))
    output.write(FileEnd(source, num_windows * SIZE, num_windows))
    added = time.perf_counter()
    output.finish()
    output.close()
    return opened - begun, added - opened, time.perf_counter() - added


def growth(num_windows: int) -> None:
    """Print what a full store costs beside an empty one."""
    for size in (0, num_windows):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
            path = Path(place) / "store"
            open_store_output(path, FACTS).close()
            generate(path, size)
            first, *_ = append(path, 1000, "new.wav")
            again, added, finished = append(path, 1000, "newer.wav")
            begun = time.perf_counter()
            info = store_info(path)
            counted = time.perf_counter() - begun
            click.echo(
                f"{info.windows:,} windows: opened in {again:.2f} s (its journal made anew {first:.2f} s), 1,000 more "
                f"added in {added:.2f} s and made a part in {finished:.2f} s, counted in {counted:.2f} s"
            )
    click.echo(f"peak of memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    ways = parser.add_subparsers(dest="way", required=True)
    one = ways.add_parser("ratio")
    one.add_argument("folder")
    one.add_argument("-m", "--model", default="demo")
    one.add_argument("--rounds", type=int, default=6)
    other = ways.add_parser("growth")
    other.add_argument("--windows", type=int, default=10_000_000)
    asked = parser.parse_args()
    if asked.way == "ratio":
        ratio(asked.folder, asked.model, asked.rounds)
    else:
        growth(asked.windows)


if __name__ == "__main__":
    main()
