"""Rows made of a store, as the run that filled it would have written them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.inputs.start_time import with_notes
from cedtag.labels.batches import BatchSelector
from cedtag.labels.tagged import SCALE, TaggedWindows
from cedtag.records import AlreadyDone, FileEnd, ScoredWindow
from cedtag.run.plan import selection_of
from cedtag.store.facts import MAKER
from cedtag.store.row_groups import WindowBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import TypeAlias

    from numpy.typing import NDArray

    from cedtag.labels.tagged import Results, TagColumns
    from cedtag.records import FileFailed, Outcome, Result, Source
    from cedtag.run.outputs import Kept
    from cedtag.run.settings import Scoring
    from cedtag.store.read import Store

    Stored: TypeAlias = "WindowBatch | FileEnd | FileFailed"

_TAGS = 1 << 14  # that are written together, of however many windows
_ALL, _NONE = -1, 0  # of the windows without tags


def scored_with(store: Store) -> dict[str, Any]:
    """The settings that decided the scores of a store, with what computed them."""
    made_by = store.facts.written_by
    return {**store.settings, **{name: made_by[name] for name in MAKER if name in made_by}}


def with_tags(store: Store, select: BatchSelector) -> Iterator[Stored]:
    """What is stored, with the tags of all windows and the scores of the classes that these need."""
    return store.results(select.classes, choose=lambda block: (block.scores, select(block.scores)))


def rows_of_store(
    store: Store,
    scoring: Scoring,
    clocked: Callable[[Source], Source] = lambda source: source,
    *,
    read: Callable[[Store, BatchSelector], Iterator[Stored]] = with_tags,
    shows_silence: bool = True,
) -> Iterator[Results]:
    """The windows with their tags, or those of which events are made, and the outcomes, in the order of a run.

    Sources become what `clocked` makes of them; `read` gives the windows. Unless `shows_silence`, windows without tags
    may be left out.
    """
    select = BatchSelector(scoring.selector)
    if scoring.shows_columns:
        found = _on_clock(store.results((), frames=True), clocked)
        outcomes = _with_columns(found, select.num_classes, set(select.classes))
        yield from _rows_of(outcomes, selection_of(scoring, is_stored=True))
        return
    found = _on_clock(read(store, select), clocked)
    overlapped = -(-scoring.window // scoring.hop)  # so many windows after one, another no longer overlaps it
    near = _ALL if shows_silence else _NONE if scoring.events is None else overlapped
    if scoring.makes_means:
        yield from _rows_of(_scored_near(found, select, near), selection_of(scoring))
    else:
        yield from _tagged(found, select, near)


def _rows_of(outcomes: Iterable[Outcome], of_outcome: Callable[[Outcome], Iterator[Kept]]) -> Iterator[Result]:
    for outcome in outcomes:
        for kept in of_outcome(outcome):
            assert not isinstance(kept, AlreadyDone)
            yield kept


def _on_clock(found: Iterable[Stored], clocked: Callable[[Source], Source]) -> Iterator[tuple[Source, Stored]]:
    """What is stored, each with its recording on the clock, and outcomes with what is doubtful about that."""
    stored = timed = None
    for one in found:
        if timed is None or one.source is not stored:
            stored, timed = one.source, clocked(one.source)
        if timed is stored or isinstance(one, WindowBatch):
            yield timed, one
        else:
            yield timed, with_notes(replace(one, source=timed))


def _tagged(found: Iterable[tuple[Source, Stored]], select: BatchSelector, near: int) -> Iterator[Results]:
    """The windows that get tags, those `near` them, and outcomes."""
    for source, one in found:
        if not isinstance(one, WindowBatch):
            yield one
        elif near != _NONE or len(_tags(one).places):
            windows = TaggedWindows(source, one.index, one.start, one.stop, one.channel, _tags(one), select.labels)
            windows = windows if near == _ALL else windows.without_silence(_kept(one, near))
            yield from windows.in_pieces(_TAGS)


def _scored_near(found: Iterable[tuple[Source, Stored]], select: BatchSelector, near: int) -> Iterator[Outcome]:
    """The windows that overlap one which overlaps one in which a class reaches its threshold, and outcomes."""
    for source, one in found:
        if not isinstance(one, WindowBatch):
            yield one
            continue
        rows = range(len(one.index)) if near == _ALL else _kept(one, 2 * near).tolist()
        for row in rows:
            scores = np.zeros(select.num_classes, np.float32)
            scores[select.classes] = one.scores[row] / SCALE
            index, start, stop, channel = (int(of[row]) for of in (one.index, one.start, one.stop, one.channel))
            yield ScoredWindow(source, index, start, stop, scores, channel)


def _with_columns(
    found: Iterable[tuple[Source, Stored]], num_classes: int, classes: Collection[int]
) -> Iterator[Outcome]:
    """What is stored with the scores of columns `(columns, num_classes)`, of these `classes` alone."""
    for source, one in found:
        if not isinstance(one, WindowBatch):
            yield one
            continue
        assert one.frames is not None
        places = (of.tolist() for of in (one.index, one.start, one.stop, one.channel))
        for frames, index, start, stop, channel in zip(one.frames, *places, strict=True):
            columns = frames.scores(num_classes, classes)
            yield ScoredWindow(source, index, start, stop, columns[0], channel, columns=columns)


def _kept(batch: WindowBatch, near: int) -> NDArray[np.intp]:
    """The rows with tags and those near them; at both ends of a batch all that may be near others."""
    starts = _tags(batch).starts
    has_tags = starts[1:] > starts[:-1]
    if near == _NONE:
        return np.flatnonzero(has_tags)
    near *= max(1, int(batch.channel.max(initial=0)))
    kept = has_tags.copy()
    kept[:near] = kept[-3 * near :] = True
    for distance in range(1, near + 1):
        kept[distance:] |= has_tags[:-distance]
        kept[:-distance] |= has_tags[distance:]
    return np.flatnonzero(kept)


def _tags(batch: WindowBatch) -> TagColumns:
    assert batch.tags is not None
    return batch.tags
