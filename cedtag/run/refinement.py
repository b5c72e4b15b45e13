"""Finer edges: the windows of a coarse pass in which something begins or ends are scored again in shorter ones.

A window is scored again when a class reaches its onset in it and not in the one before or after, or the other way
round; beyond both ends of a recording there is silence. Fine windows overlap by half. So the rows of a recording are
coarse windows and, in place of some, fine ones.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import AudioError
from cedtag.inputs.windows import sliding_windows
from cedtag.records import FileEnd, ScoredWindow
from cedtag.scoring.checked import checked_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from numpy.typing import NDArray

    from cedtag.audio import Recording
    from cedtag.records import Outcome, Source, Window
    from cedtag.scoring import Scorer

    Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Refinement:
    """How windows are scored again: in ones of `size` samples, `threads` calls at once.

    `active` gives the classes that reach their onset in a window.
    """

    open_recording: Callable[[Source], Recording]
    scorer: Scorer
    active: Callable[[ScoredWindow], frozenset[int]]
    size: int
    threads: int = 1


def refined(outcomes: Iterable[Outcome], refinement: Refinement) -> Generator[Outcome, None, None]:
    """Pass outcomes on, with fine windows in place of those in which something begins or ends.

    A recording is decoded a second time, while it is scored and only as far as is needed. Where that gives fewer
    samples than the first time, its coarse windows stay.
    """
    with ThreadPoolExecutor(refinement.threads, initializer=refinement.scorer.prepare_thread) as pool:
        recording = _RecordingRefiner(refinement, pool)
        try:
            for outcome in outcomes:
                if isinstance(outcome, ScoredWindow):
                    yield from recording.add(outcome)
                elif isinstance(outcome, FileEnd):
                    yield from recording.finish()
                    yield replace(outcome, num_windows=recording.num_windows)
                    recording.close()
                    recording = _RecordingRefiner(refinement, pool)
                else:
                    yield outcome
        finally:
            recording.close()


class _RecordingRefiner:
    """Refines one recording: each window waits for the next one, which shows whether something ends between them."""

    def __init__(self, refinement: Refinement, pool: ThreadPoolExecutor) -> None:
        self._refinement, self._pool = refinement, pool
        self._reader: _Reader | None = None
        self._held: ScoredWindow | None = None
        self._active: frozenset[int] = frozenset()
        self._changes = False  # at the beginning of the held window
        self._done = 0  # the sample up to which windows went out
        self._last_start = 0
        self.num_windows = 0

    def add(self, window: ScoredWindow) -> Iterator[ScoredWindow]:
        active = self._refinement.active(window)
        changes = active != self._active
        yield from self._release(changes)
        self._held, self._active, self._changes = window, active, changes

    def finish(self) -> Iterator[ScoredWindow]:
        yield from self._release(bool(self._active))

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _release(self, changes: bool) -> Iterator[ScoredWindow]:
        """The held window, or fine ones in its place; `changes` is whether something begins or ends at its end."""
        window, self._held = self._held, None
        if window is None:
            return
        fine = self._fine(window) if changes or self._changes else []
        # The last window may begin before the others end, and then before fine ones: keep the order.
        for one in fine or [replace(window, start=max(window.start, self._last_start))]:
            yield replace(one, index=self.num_windows)
            self.num_windows += 1
            self._last_start = one.start
        self._done = window.stop

    def _fine(self, window: ScoredWindow) -> list[ScoredWindow]:
        """The fine windows in place of a coarse one; none when it is too short, or cannot be read or scored again."""
        size = self._refinement.size
        start = max(window.start, self._done)
        if window.stop - start < size:
            return []
        if self._reader is None:
            self._reader = _Reader(self._refinement.open_recording, window.source)
        samples = self._reader.read(start, window.stop)
        if len(samples) < window.stop - start:
            return []
        pieces = list(sliding_windows([samples], window.source, size, max(1, size // 2)))
        scored = [
            ScoredWindow(piece.source, 0, start + piece.start, start + piece.stop, scores)
            for piece, scores in zip(pieces, self._score(pieces), strict=True)
        ]
        return scored if all(window.is_finite for window in scored) else []

    def _score(self, windows: list[Window]) -> Iterator[NDArray[np.float32]]:
        calls = self._refinement.scorer.batch_size
        batches = [windows[start : start + calls] for start in range(0, len(windows), calls)]
        for scores in self._pool.map(partial(checked_scores, self._refinement.scorer), batches):
            yield from scores


class _Reader:
    """Decodes a recording once more, forward only."""

    def __init__(self, open_recording: Callable[[Source], Recording], source: Source) -> None:
        self._stack = ExitStack()
        self._blocks: Iterator[Samples] = iter(())
        self._rest: Samples = np.empty(0, np.float32)
        self._at = 0  # the sample with which the rest begins
        try:
            recording = open_recording(source)
        except AudioError:
            return
        self._stack.callback(recording.close)
        self._blocks = recording.blocks()

    def read(self, start: int, stop: int) -> Samples:
        """The samples from `start`, which is not before the last `stop`, to `stop`; fewer where they end."""
        pieces = [np.empty(0, np.float32)]
        while self._at < stop:
            if not len(self._rest):
                block = self._next()
                if block is None:
                    break
                self._rest = block
            end = min(self._at + len(self._rest), stop)
            taken, self._rest = self._rest[: end - self._at], self._rest[end - self._at :]
            pieces.append(taken[max(0, start - self._at) :].copy())
            self._at = end
        return np.concatenate(pieces)

    def close(self) -> None:
        self._stack.close()

    def _next(self) -> Samples | None:
        try:
            return next(self._blocks, None)
        except AudioError:
            return None
