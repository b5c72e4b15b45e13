"""Rows made of a store, as the run that filled it would have written them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.records import AlreadyDone, ScoredWindow
from cedtag.store.facts import MAKER
from cedtag.store.read import Store, WindowBatch
from cedtag.store.schema import SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from cedtag.records import FileEnd, FileFailed, Outcome, Result
    from cedtag.run.outputs import Kept


def scored_with(store: Store) -> dict[str, Any]:
    """The settings that decided the scores of a store, with what computed them."""
    made_by = store.facts.written_by
    return {**store.settings, **{name: made_by[name] for name in MAKER if name in made_by}}


def results_of_store(
    path: Path, selection: Callable[[], Callable[[Outcome], Iterator[Kept]]], *, frames: bool = False
) -> Iterator[Result]:
    """The results of all recordings in a store, with the tags that a new `selection` gives its windows, or `frames`."""
    select = selection()
    for outcome in stored_outcomes(Store(path), frames=frames):
        for result in select(outcome):
            assert not isinstance(result, AlreadyDone)
            yield result


def stored_outcomes(store: Store, *, frames: bool = False) -> Iterator[ScoredWindow | FileEnd | FileFailed]:
    """The windows of each recording with the scores that are stored, and then its outcome, as an engine yields them.

    With `frames`, windows have no scores but those of their columns, which are compared already.
    """
    if frames:
        yield from framed_outcomes(store.results((), frames=True), len(store.labels))
        return
    for one in store.results():
        if isinstance(one, WindowBatch):
            yield from _windows(one)
        else:
            yield one


def framed_outcomes(
    found: Iterable[WindowBatch | FileEnd | FileFailed], num_classes: int, classes: Collection[int] | None = None
) -> Iterator[ScoredWindow | FileEnd | FileFailed]:
    """What is stored with the scores of columns `(columns, num_classes)`, of these `classes` alone if given."""
    for one in found:
        if not isinstance(one, WindowBatch):
            yield one
            continue
        assert one.frames is not None
        places = (of.tolist() for of in (one.index, one.start, one.stop, one.channel))
        for frames, index, start, stop, channel in zip(one.frames, *places, strict=True):
            columns = frames.scores(num_classes, classes)
            yield ScoredWindow(one.source, index, start, stop, columns[0], channel, columns=columns)


def _windows(batch: WindowBatch) -> Iterator[ScoredWindow]:
    scores = np.ascontiguousarray(batch.scores, np.float32) / np.float32(SCALE)
    places = zip(batch.index.tolist(), batch.start.tolist(), batch.stop.tolist(), batch.channel.tolist(), strict=True)
    for (index, start, stop, channel), probabilities in zip(places, scores, strict=True):
        yield ScoredWindow(batch.source, index, start, stop, probabilities, channel)
