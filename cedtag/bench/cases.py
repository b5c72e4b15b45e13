"""What is measured: scoring alone, decoding alone, whole runs, in seconds per window of 10 s, and first rows."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio import Decoders
from cedtag.bench.findings import WINDOW_S
from cedtag.bench.timing import timed_in_threads
from cedtag.errors import AudioError, InputError, ModelError
from cedtag.records import SAMPLE_RATE_HZ, Source, Window
from cedtag.run.archive import Callbacks, run_archive
from cedtag.run.outputs.destination import Destination
from cedtag.run.settings import Reading, RunSettings
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cedtag.bench.material import Material
    from cedtag.bench.ways import Way
    from cedtag.scoring import LoadedModel, Scorer


def seconds_of_scoring(scorer: Scorer, num_windows: int = 1) -> float:
    """What features and model take for a window, measured with at least as many, on all cores."""
    size, num_threads = scorer.batch_size, usable_cpus() if scorer.device == "cpu" else 1
    length = min(WINDOW_S * SAMPLE_RATE_HZ, scorer.longest_window)
    samples = (0.1 * np.random.default_rng(0).standard_normal(length)).astype(np.float32)
    windows = [Window(Source("a", "a", "a"), index, index * length, samples) for index in range(size)]
    num_calls = max(1, math.ceil(num_windows / (num_threads * size)))

    def calls() -> None:
        scorer.prepare_thread()
        for _ in range(num_calls):
            scorer.score(windows)

    seconds, _ = timed_in_threads(calls, num_threads)
    return seconds / (num_threads * num_calls * size)


def seconds_of_decoding(material: Material) -> float:
    """What it takes to read ten seconds as 16 kHz mono, on all cores."""
    waiting = iter(material.sources())
    lock = Lock()

    def next_source() -> Source | None:
        with lock:
            return next(waiting, None)

    with Decoders() as decoders:

        def decode() -> int:
            return sum(_num_samples(decoders, source) for source in iter(next_source, None))

        seconds, nums = timed_in_threads(decode, usable_cpus())
    return seconds * WINDOW_S * SAMPLE_RATE_HZ / sum(nums) if sum(nums) else math.nan


def _num_samples(decoders: Decoders, source: Source) -> int:
    try:
        with decoders.open(source) as recording:
            return sum(map(len, recording.blocks()))
    except AudioError:  # a run reports it
        return 0


def seconds_of_run(material: Material, way: Way, model: LoadedModel, rows: Path) -> float:
    """What a run takes for ten seconds of its recordings, from the moment that it is ready until `rows` is written."""
    ready_s = 0.0

    def start() -> None:
        nonlocal ready_s
        ready_s = time.perf_counter()

    settings = RunSettings(
        reading=Reading(to_s=material.to_s),
        destination=Destination((str(rows),), resume=False, overwrite=True),
        compute=way.compute,
    )
    summary = run_archive(material.paths, model, settings, Callbacks(start))
    seconds = time.perf_counter() - ready_s
    if not summary.windows:
        raise InputError(f"{', '.join(material.paths[:3])}: none of these recordings can be read; name others")
    return seconds / (summary.audio_s / WINDOW_S)


def first_row_s(way: Way, model: Sequence[str], recording: Path) -> float:
    """The seconds from the start of a fresh process to its first row; `model` are the options that name the model."""
    words = ("tag", str(recording), *model, *way.options, "-t", "0", "-k", "1", "-f", "tsv", "-q")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CEDTAG_")}
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "cedtag", *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the header
        row = process.stdout.readline()
        seconds = time.perf_counter() - started
        process.stdout.read()
    if not row:
        raise ModelError(f"{' '.join(words)}: gave no row in a process of its own; run it to see why")
    return seconds
