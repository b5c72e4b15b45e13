"""Recordings that are given up keep nothing that can be taken back."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio import Decoders, Decoding, in_process
from cedtag.audio.sndfile import SoundFileDecoder
from cedtag.audio.subprocess_decoder import SubprocessRecording
from cedtag.records import FileEnd, FileFailed
from cedtag.run.pipeline import PipelineSettings, score_recordings
from tests.run.pipeline.fakes import MeanScorer
from tests.sounds import source_of, times_open, write

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = PipelineSettings(16_000, 16_000, decoders=2, timeout_s=0.3)


def recordings(folder: Path, count: int) -> list[Path]:
    """Recordings that do not fit the pipe between two processes."""
    return [write(folder / f"{i}.wav", np.zeros((2_000_000, 1), np.float32), 16_000) for i in range(count)]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def settled(count: Callable[[], int], expected: int) -> bool:
    """Whether a count comes down to what is expected."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if count() <= expected:
            return True
        time.sleep(0.05)
    return False


def test_children_that_hang_leave_no_thread_and_no_descriptor(tmp_path):
    paths = recordings(tmp_path, 6)
    threads, files = threading.active_count(), descriptors()
    with Decoders(Decoding(isolate=True)) as decoders:

        def open_and_stop(source):
            recording = decoders.open(source)
            os.kill(recording._process._process.pid, signal.SIGSTOP)
            return recording

        outcomes = list(score_recordings(map(source_of, paths), open_and_stop, MeanScorer(), SETTINGS))
    given_up = [outcome for outcome in outcomes if isinstance(outcome, FileEnd | FileFailed)]
    assert len(given_up) == len(paths)
    assert all("timeout" in str(outcome) for outcome in given_up)
    assert settled(threading.active_count, threads)
    assert settled(descriptors, files)


class Hanging(SoundFileDecoder):
    """Hangs in its second piece until it is released."""

    go_on = threading.Event()

    def frames(self):
        pieces = super().frames()
        yield next(pieces)
        self.go_on.wait(30)
        yield from pieces


def test_after_one_that_hangs_in_this_process_the_others_are_decoded_where_they_can_be_killed(tmp_path, monkeypatch):
    paths = recordings(tmp_path, 4)
    threads, files = threading.active_count(), descriptors()
    monkeypatch.setattr(in_process, "SoundFileDecoder", Hanging)
    monkeypatch.setattr(Hanging, "go_on", threading.Event())
    opened = []
    with Decoders() as decoders:

        def noted(source):
            opened.append(decoders.open(source))
            return opened[-1]

        settings = PipelineSettings(16_000, 16_000, decoders=1, timeout_s=5)
        outcomes = list(score_recordings(map(source_of, paths), noted, MeanScorer(), settings))
        assert isinstance(opened[1], SubprocessRecording)
    first, *others = [outcome for outcome in outcomes if isinstance(outcome, FileEnd | FileFailed)]
    assert isinstance(first, FileFailed)
    assert [(end.num_samples, end.status) for end in others] == [(2_000_000, "ok")] * 3
    assert times_open(paths[0]) == 1  # in the thread that hangs
    Hanging.go_on.set()
    assert settled(lambda: times_open(paths[0]), 0)
    assert settled(threading.active_count, threads)
    assert settled(descriptors, files)
