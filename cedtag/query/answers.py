"""Stored scores to results: windows with their tags or events, and how recordings ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cedtag.events.detect import detect_events
from cedtag.labels.batches import SCALE, BatchSelector
from cedtag.records import AlreadyDone, FileEnd, FileFailed, ScoredWindow, TagResult
from cedtag.run.archive import with_notes
from cedtag.run.plan import selection_of
from cedtag.run.stored import framed_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cedtag.records import Outcome, Result, Source
    from cedtag.run.outputs import Kept
    from cedtag.run.settings import Scoring
    from cedtag.store.read import WindowBatch


_CHUNK = 2048  # windows that are looked at together, of however many recordings
_ALL, _NONE = -1, 0  # of the windows without tags


def results_of(
    read: Callable[[Sequence[int]], Iterator[WindowBatch | FileEnd | FileFailed]],
    scoring: Scoring,
    clocked: Callable[[Source], Source],
    *,
    shows_silence: bool,
) -> Iterator[Result]:
    """The results that a run over the stored recordings would write, in its order; `read` gives the scores of classes.

    Unless `shows_silence`, windows without tags may be left out.
    """
    select = BatchSelector(scoring.selector)
    if scoring.shows_columns:
        yield from _of_columns(_on_clock(read(()), clocked), select, scoring)
        return
    found = _on_clock(read(select.classes), clocked)
    if scoring.events is None:
        yield from _tagged(found, select, _ALL if shows_silence else _NONE)
        return
    near = -(-scoring.window // scoring.hop)  # so many windows after one, another no longer overlaps it
    if not scoring.makes_means:
        rows: Iterator[Result] = _tagged(found, select, near)
    else:
        rows = _with_means(found, select, scoring, near)
    yield from detect_events(rows, scoring.events)


def _of_columns(
    found: Iterable[WindowBatch | FileEnd | FileFailed], select: BatchSelector, scoring: Scoring
) -> Iterator[Result]:
    """The events of columns of tokens."""
    outcomes = framed_outcomes(found, select.num_classes, set(select.classes))
    yield from detect_events(_rows_of(outcomes, selection_of(scoring, is_stored=True)), scoring.events)


def _rows_of(outcomes: Iterable[Outcome], of_outcome: Callable[[Outcome], Iterator[Kept]]) -> Iterator[Result]:
    for outcome in outcomes:
        for kept in of_outcome(outcome):
            assert not isinstance(kept, AlreadyDone)
            yield kept


def _on_clock(
    found: Iterable[WindowBatch | FileEnd | FileFailed], clocked: Callable[[Source], Source]
) -> Iterator[WindowBatch | FileEnd | FileFailed]:
    """What is stored, with the start times of recordings."""
    stored = timed = None
    for one in found:
        if timed is None or one.source != stored:
            stored, timed = one.source, clocked(one.source)
        yield with_notes(replace(one, source=timed)) if isinstance(one, FileEnd) else replace(one, source=timed)


def _tagged(
    found: Iterable[WindowBatch | FileEnd | FileFailed], select: BatchSelector, near: int
) -> Iterator[TagResult | FileEnd | FileFailed]:
    """The windows that get tags, those `near` them, and outcomes."""
    for chunk in _in_chunks(found):
        tags = dict(select(_scores(chunk)))
        has_tags = np.zeros(chunk.num_windows, np.bool_)
        has_tags[list(tags)] = True
        for first, one in chunk.parts:
            if isinstance(one, FileEnd | FileFailed):
                yield one
                continue
            rows = _kept(has_tags[first : first + len(one.index)], near, one)
            places = (column[rows].tolist() for column in (one.index, one.start, one.stop, one.channel))
            for row, index, start, stop, channel in zip((rows + first).tolist(), *places, strict=True):
                yield TagResult(one.source, index, start, stop, tags.get(row, ()), channel)


def _with_means(
    found: Iterable[WindowBatch | FileEnd | FileFailed], select: BatchSelector, scoring: Scoring, near: int
) -> Iterator[Result]:
    """The windows of which events are made where windows overlap: see `OverlapSelector`."""
    yield from _rows_of(_scored_near(found, select, scoring, near), selection_of(scoring))


def _scored_near(
    found: Iterable[WindowBatch | FileEnd | FileFailed], select: BatchSelector, scoring: Scoring, near: int
) -> Iterator[Outcome]:
    """The windows that overlap one which overlaps one in which a class reaches its threshold, and outcomes."""
    for chunk in _in_chunks(found):
        reached = select.reached(_scores(chunk))
        for first, one in chunk.parts:
            if isinstance(one, FileEnd | FileFailed):
                yield one
                continue
            for row in _kept(reached[first : first + len(one.index)], 2 * near, one).tolist():
                scores = np.zeros(select.num_classes, np.float32)
                scores[select.classes] = one.scores[row] / SCALE
                index, start, stop, channel = (int(of[row]) for of in (one.index, one.start, one.stop, one.channel))
                yield ScoredWindow(one.source, index, start, stop, scores, channel)


def _kept(is_shown: NDArray[np.bool_], near: int, batch: WindowBatch) -> NDArray[np.intp]:
    """The rows that are shown and those near them; at both ends of a batch all that may be near others."""
    if near in (_ALL, _NONE):
        return np.arange(len(is_shown)) if near == _ALL else np.flatnonzero(is_shown)
    near *= max(1, int(batch.channel.max(initial=0)))
    kept = is_shown.copy()
    kept[:near] = kept[-3 * near :] = True
    for distance in range(1, near + 1):
        kept[distance:] |= is_shown[:-distance]
        kept[:-distance] |= is_shown[distance:]
    return np.flatnonzero(kept)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Windows and outcomes in their order, each with the number of windows before it."""

    parts: list[tuple[int, WindowBatch | FileEnd | FileFailed]]
    num_windows: int


def _in_chunks(found: Iterable[WindowBatch | FileEnd | FileFailed]) -> Iterator[_Chunk]:
    """Everything in its order, so many windows at once that a call for them costs little."""
    parts: list[tuple[int, WindowBatch | FileEnd | FileFailed]] = []
    count = 0
    for one in found:
        parts.append((count, one))
        count += 0 if isinstance(one, FileEnd | FileFailed) else len(one.index)
        if count >= _CHUNK or len(parts) >= _CHUNK:
            yield _Chunk(parts, count)
            parts, count = [], 0
    yield _Chunk(parts, count)


def _scores(chunk: _Chunk) -> NDArray[np.uint16]:
    """The scores `(windows, classes)` of all windows."""
    pieces = [one.scores for _, one in chunk.parts if not isinstance(one, FileEnd | FileFailed)]
    if len(pieces) == 1:
        return pieces[0]
    return np.concatenate(pieces) if pieces else np.zeros((0, 0), np.uint16)
