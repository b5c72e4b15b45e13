"""Lanes -> outcomes, in order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from queue import Empty
from typing import TYPE_CHECKING, TypeAlias

from cedtag.records import SAMPLE_RATE_HZ, FileEnd, FileFailed, ScoredWindow, seconds
from cedtag.run.pipeline.lane import WindowGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.records import AlreadyDone, Outcome, Skipped
    from cedtag.run.pipeline.lane import Lane, LaneItem

    Ended: TypeAlias = FileEnd | FileFailed | Skipped | AlreadyDone


def drain(lane: Lane, timeout_s: float | None, on_abandoned: Callable[[], None]) -> Iterator[Outcome]:
    """Yield what comes of one recording, each window when it is scored.

    A lane whose decoder gives no samples for `timeout_s` is abandoned, and `on_abandoned` called. Windows whose scores
    are not finite are left out, and a problem of their recording.
    """
    num_windows = 0
    unscored: list[ScoredWindow] = []
    while (item := _next_item(lane, timeout_s)) is not None:
        if isinstance(item, BaseException):
            raise item
        if not isinstance(item, WindowGroup):
            yield _without(item, unscored)
            return
        for window in _scored(item, lane):
            if window.is_finite:
                yield window
            else:
                unscored.append(window)
        num_windows += len(item.windows)
    lane.abandon()
    on_abandoned()
    assert timeout_s is not None
    yield _timed_out(lane, num_windows, timeout_s)


def _next_item(lane: Lane, timeout_s: float | None) -> LaneItem | None:
    """The next item, or None when its decoder has given no samples for `timeout_s`."""
    while True:
        with suppress(Empty):
            return lane.items.get(timeout=None if timeout_s is None else max(0.01, timeout_s - lane.waited_s()))
        if timeout_s is not None and lane.waited_s() >= timeout_s:
            return None


def _scored(group: WindowGroup, lane: Lane) -> Iterator[ScoredWindow]:
    """Wait for the scores of a group, and make room in its lane for another."""
    scores = group.scores.result()
    lane.room.release()
    columns: Sequence[NDArray[np.float32] | None] = group.columns or [None] * len(scores)
    for window, probabilities, own in zip(group.windows, scores, columns, strict=True):
        yield ScoredWindow(
            window.source, window.index, window.start, window.stop, probabilities, window.channel, columns=own
        )


def _without(end: Ended, unscored: list[ScoredWindow]) -> Ended:
    """The end of a recording some of whose windows have no scores; it has failed when none has."""
    if not unscored or not isinstance(end, FileEnd):
        return end
    first = seconds(unscored[0].start)
    problem = f"windows left out because their scores are not finite numbers: {len(unscored)}, from {first:.3f} s on"
    if end.num_windows == len(unscored):
        return FileFailed(end.source, "score", f"{end.source.name}: {problem}")
    return replace(end, num_windows=end.num_windows - len(unscored), problems=(*end.problems, problem))


def _timed_out(lane: Lane, num_windows: int, timeout_s: float) -> FileEnd | FileFailed:
    """The outcome of a recording whose decoder hung: partial after its first windows."""
    silence = f"no samples from the decoder for {timeout_s:g} s"
    if not num_windows:
        return FileFailed(lane.source, "timeout", f"{lane.source.name}: {silence}; stopped (timeout)")
    problem = f"{silence} after {lane.num_samples / SAMPLE_RATE_HZ:.1f} s of the recording; stopped (timeout)"
    return FileEnd(lane.source, lane.num_samples, num_windows, (problem,), cause="timeout")
