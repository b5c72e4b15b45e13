"""Rows made of a store, as the run that filled it would have written them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.records import AlreadyDone, ScoredWindow
from cedtag.store.facts import MAKER
from cedtag.store.read import Store, WindowBatch
from cedtag.store.schema import SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cedtag.records import FileEnd, FileFailed, Outcome, Result
    from cedtag.run.outputs import Kept


def scored_with(store: Store) -> dict[str, Any]:
    """The settings that decided the scores of a store, with what computed them."""
    made_by = store.facts.written_by
    return {**store.settings, **{name: made_by[name] for name in MAKER if name in made_by}}


def results_of_store(path: Path, selection: Callable[[], Callable[[Outcome], Iterator[Kept]]]) -> Iterator[Result]:
    """The results of all recordings in a store, with the tags that a new `selection` gives its windows."""
    select = selection()
    for outcome in stored_outcomes(Store(path)):
        for result in select(outcome):
            assert not isinstance(result, AlreadyDone)
            yield result


def stored_outcomes(store: Store) -> Iterator[ScoredWindow | FileEnd | FileFailed]:
    """The windows of each recording with the scores that are stored, and then its outcome, as an engine yields them."""
    for one in store.results():
        if isinstance(one, WindowBatch):
            yield from _windows(one)
        else:
            yield one


def _windows(batch: WindowBatch) -> Iterator[ScoredWindow]:
    scores = np.ascontiguousarray(batch.scores, np.float32) / np.float32(SCALE)
    places = zip(batch.index.tolist(), batch.start.tolist(), batch.stop.tolist(), batch.channel.tolist(), strict=True)
    for (index, start, stop, channel), probabilities in zip(places, scores, strict=True):
        yield ScoredWindow(batch.source, index, start, stop, probabilities, channel)
