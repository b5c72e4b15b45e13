"""The loop: recordings are listed, decoded and scored side by side, and come out in the order they went in.

    lister thread -> lanes -> decoder threads -> groups of windows -> scorer threads -> one ordered stream of events

A *lane* carries one recording. Decoders run ahead of scoring by a bounded number of lanes, and in each by a bounded
number of groups of windows, so memory does not depend on how long recordings are or how many there are.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cedtag.errors import AudioError
from cedtag.inputs.windows import sliding_windows
from cedtag.records import SAMPLE_RATE_HZ, AlreadyDone, FileEnd, FileFailed, ScoredWindow, Skipped, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.records import Listed, Outcome, Window

Scores: TypeAlias = "Future[NDArray[np.float32]]"


class Recording(Protocol):
    """An open recording; `problems` and `warnings` are complete once `blocks` is exhausted."""

    problems: list[str]
    warnings: list[str]

    def blocks(self) -> Iterator[NDArray[np.float32]]: ...
    def close(self) -> None: ...


class Scorer(Protocol):
    """Turns windows into probabilities `(windows, classes)`; called from several threads at once.

    `across_recordings` says whether windows of several recordings may be scored together. Where they may not, a call
    holds `batch_size` consecutive windows of one recording (fewer at its end), so that a result cannot depend on what
    else is in the run.
    """

    batch_size: int
    across_recordings: bool

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is cut and spread: window and hop in samples, numbers of threads, and how long a decoder may hang."""

    window: int
    hop: int
    decoders: int = 1
    scorers: int = 1
    timeout_s: float | None = None


def score_recordings(
    sources: Iterable[Listed],
    open_recording: Callable[[Source], Recording],
    scorer: Scorer,
    plan: Plan,
) -> Generator[Outcome, None, None]:
    """Yield the scored windows and the outcome of every source, in the order of `sources`.

    A recording that cannot be read costs that recording; any other exception, from `sources` too, is raised here.
    Closing the iterator stops every thread.
    """
    engine = _Engine(open_recording, scorer, plan)
    try:
        yield from engine.run(sources)
    finally:
        engine.stop()


@dataclass(slots=True)
class _Group:
    """Consecutive windows of one recording that are scored in one call."""

    windows: tuple[Window, ...]
    scores: Scores = field(default_factory=Future)


@dataclass(slots=True, eq=False)
class _Lane:
    """One recording on its way: what is ready of it, and how far its decoder is."""

    source: Source
    room: threading.Semaphore  # for one more group
    items: SimpleQueue[_Group | FileEnd | FileFailed | Skipped | AlreadyDone | BaseException] = field(
        default_factory=SimpleQueue
    )
    recording: Recording | None = None
    waiting_since: float | None = None  # when the decoder was last asked for something it has not given yet
    num_samples: int = 0
    num_windows: int = 0
    abandoned: bool = False

    def watch(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass blocks on, noting since when the next one is waited for."""
        while True:
            self.waiting_since = time.monotonic()
            block = next(blocks, None)
            self.waiting_since = None
            if block is None or self.abandoned:
                return
            self.num_samples += len(block)
            yield block

    def waited_s(self) -> float:
        since = self.waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def abandon(self) -> None:
        """Let go of a recording: its decoder ends as soon as it can."""
        self.abandoned = True
        self.room.release()
        if self.recording is not None:
            self.recording.close()


class _Engine:
    """The threads of one run. They are daemons: a decoder that never comes back must not keep the process alive."""

    def __init__(self, open_recording: Callable[[Source], Recording], scorer: Scorer, plan: Plan) -> None:
        self._open, self._scorer, self._plan = open_recording, scorer, plan
        self._lanes: SimpleQueue[_Lane | BaseException | None] = SimpleQueue()  # in order, for the consumer
        self._to_decode: SimpleQueue[_Lane | None] = SimpleQueue()
        self._to_score: SimpleQueue[_Group | None] = SimpleQueue()
        # A group is what one call scores, or one window where the scorer mixes what waits: then two calls' worth waits.
        self._group_size = 1 if scorer.across_recordings else scorer.batch_size
        self._groups_ahead = 2 * scorer.batch_size if scorer.across_recordings else plan.scorers + 2
        # Short files make one group each, and scorers must not wait for them either.
        self._ahead = threading.Semaphore(plan.decoders + 2 * self._groups_ahead)
        self._stopped = False
        self._open_lanes: set[_Lane] = set()
        self._threads: list[threading.Thread] = []

    def run(self, sources: Iterable[Listed]) -> Iterator[Outcome]:
        self._start(self._list, sources)
        for _ in range(self._plan.decoders):
            self._start(self._decode_lanes)
        for _ in range(self._plan.scorers):
            self._start(self._score_groups)
        while (lane := self._lanes.get()) is not None:
            if isinstance(lane, BaseException):
                raise lane
            yield from self._drain(lane)
            self._open_lanes.discard(lane)
            self._ahead.release()

    def stop(self) -> None:
        self._stopped = True
        self._ahead.release()
        for lane in list(self._open_lanes):
            lane.abandon()
        for _ in self._threads:
            self._to_decode.put(None)
            self._to_score.put(None)
        deadline = time.monotonic() + 0.8
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"cedtag{target.__name__}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _list(self, sources: Iterable[Listed]) -> None:
        try:
            for item in sources:
                self._ahead.acquire()
                if self._stopped:
                    return
                source = item if isinstance(item, Source) else item.source
                lane = _Lane(source, threading.Semaphore(self._groups_ahead))
                self._open_lanes.add(lane)
                if isinstance(item, Source):
                    self._to_decode.put(lane)
                else:
                    lane.items.put(item)
                self._lanes.put(lane)
            self._lanes.put(None)
        except BaseException as error:  # noqa: BLE001 -- raised again where the events are read
            self._lanes.put(error)

    def _decode_lanes(self) -> None:
        while (lane := self._to_decode.get()) is not None and not self._stopped:
            try:
                lane.items.put(self._decode(lane))
            except BaseException as error:  # noqa: BLE001 -- raised again where the events are read
                lane.items.put(error)
            if lane.abandoned:  # somebody else has taken this thread's place
                return

    def _decode(self, lane: _Lane) -> FileEnd | FileFailed:
        """Cut one recording into groups of windows, and say how it ended."""
        source, plan = lane.source, self._plan
        try:
            lane.waiting_since = time.monotonic()
            lane.recording = recording = self._open(source)
        except AudioError as error:
            return FileFailed(source, error.stage, str(error))
        try:
            windows = sliding_windows(lane.watch(recording.blocks()), source, plan.window, plan.hop)
            while group := tuple(islice(windows, self._group_size)):
                lane.room.acquire()
                if lane.abandoned:
                    break
                self._submit(lane, group)
        except AudioError as error:
            if not lane.num_windows:
                return FileFailed(source, error.stage, str(error))
            recording.problems.append(str(error))
        finally:
            recording.close()
        return FileEnd(source, lane.num_samples, lane.num_windows, tuple(recording.problems), tuple(recording.warnings))

    def _submit(self, lane: _Lane, windows: tuple[Window, ...]) -> None:
        group = _Group(windows)
        lane.num_windows += len(windows)
        self._to_score.put(group)
        lane.items.put(group)

    def _score_groups(self) -> None:
        while not self._stopped:
            groups = self._next_groups()
            if not groups:
                return
            try:
                scores = self._scorer.score([window for group in groups for window in group.windows])
            except BaseException as error:  # noqa: BLE001 -- raised again where the events are read
                for group in groups:
                    group.scores.set_exception(error)
                continue
            done = 0
            for group in groups:
                group.scores.set_result(scores[done : done + len(group.windows)])
                done += len(group.windows)

    def _next_groups(self) -> list[_Group]:
        """The groups of the next call: one, or as many as wait where recordings mix; none when the run is over."""
        group = self._to_score.get()
        if group is None:
            return []
        groups = [group]
        if self._scorer.across_recordings:
            while len(groups) < self._scorer.batch_size:
                try:
                    group = self._to_score.get_nowait()
                except Empty:
                    break
                if group is None:
                    break
                groups.append(group)
        return groups

    def _drain(self, lane: _Lane) -> Iterator[Outcome]:
        """Yield what comes of one recording, waiting for its scores; give it up when its decoder hangs."""
        num_windows = 0
        while True:
            try:
                item = lane.items.get(timeout=self._patience_s(lane))
            except Empty:
                if self._plan.timeout_s is not None and lane.waited_s() >= self._plan.timeout_s:
                    yield self._give_up(lane, num_windows)
                    return
                continue
            if isinstance(item, BaseException):
                raise item
            if not isinstance(item, _Group):
                yield item
                return
            scores = item.scores.result()
            lane.room.release()
            for window, probabilities in zip(item.windows, scores, strict=True):
                yield ScoredWindow(window.source, window.index, window.start, window.stop, probabilities)
            num_windows += len(item.windows)

    def _patience_s(self, lane: _Lane) -> float | None:
        if self._plan.timeout_s is None:
            return None
        return max(0.01, self._plan.timeout_s - lane.waited_s())

    def _give_up(self, lane: _Lane, num_windows: int) -> FileEnd | FileFailed:
        lane.abandon()
        self._start(self._decode_lanes)
        reached_s = lane.num_samples / SAMPLE_RATE_HZ
        reason = f"the decoder gave nothing for {self._plan.timeout_s:g} s and was stopped (--timeout)"
        if not num_windows:
            return FileFailed(lane.source, "timeout", f"{lane.source.name}: {reason}")
        return FileEnd(lane.source, lane.num_samples, num_windows, (f"{reason}, {reached_s:.1f} s into the recording",))
