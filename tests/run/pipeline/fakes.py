"""Recordings and scorers that are made up, for the threads of a run."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import numpy as np

from cedtag.records import Source, Window
from cedtag.run.pipeline import PipelineSettings
from cedtag.run.pipeline.lane import Lane, WindowGroup

SIZE = 400
SETTINGS = PipelineSettings(window=SIZE, hop=SIZE)


def source(name: str) -> Source:
    return Source(name, name, name)


def noise(num_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(num_samples, np.float32)


def lane(name: str = "a", groups: int = 100) -> Lane:
    """A lane with room for so many groups."""
    return Lane(source(name), threading.Semaphore(groups))


def group(name: str, count: int = 1, start: int = 0) -> WindowGroup:
    """Consecutive windows of one recording, the first of them the `start`-th."""
    places = range(start, start + count)
    return WindowGroup(tuple(Window(source(name), i, i * SIZE, np.full(SIZE, i, np.float32)) for i in places))


def wait_until(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@dataclass
class FakeRecording:
    """Yields its blocks, then raises or hangs where it has an error or an event."""

    samples: np.ndarray
    block: int = 150
    error: Exception | None = None
    hang: threading.Event | None = None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cause: str = ""
    traceback: str = ""
    closed: bool = False

    def blocks(self):
        for start in range(0, len(self.samples), self.block):
            yield self.samples[start : start + self.block]
        if self.hang:
            self.hang.wait(20)
        if self.error:
            raise self.error

    def close(self):
        self.closed = True
        if self.hang:
            self.hang.set()


class MeanScorer:
    """The mean of a window and the number of windows in the call, so that grouping shows."""

    def __init__(self, batch_size=2, across_recordings=False, delay_s=0.0):
        self.batch_size, self.across_recordings, self.delay_s = batch_size, across_recordings, delay_s
        self.calls: list[list[str]] = []

    def prepare_thread(self):
        pass

    def score(self, windows):
        time.sleep(self.delay_s)
        self.calls.append([window.source.name for window in windows])
        return np.array([[window.samples.mean(), len(windows)] for window in windows], np.float32)
