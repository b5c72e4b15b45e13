"""Results in a store: rows as a run with the wanted tags would have written them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.inputs.clock import Clock
from cedtag.labels.tag_filter import TagFilter
from cedtag.labels.tagged import one_by_one
from cedtag.records import SAMPLE_RATE_HZ
from cedtag.results.written import WrittenResults
from cedtag.run.plan import scoring_at
from cedtag.run.settings import RunSettings, with_questions
from cedtag.run.stored import rows_of_store, scored_with
from cedtag.store import open_store
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.events.settings import EventSettings


def read_store(path: Path, tags: TagFilter | None = None, events: EventSettings | None = None) -> WrittenResults:
    """The results of a store, with the defaults of tagging for what `tags` leaves open; rows for `events`, if given."""
    store = open_store(path)
    clock = Clock(store.settings.get("start-time", "none"), store.settings.get("timezone", "UTC"))
    settings = RunSettings(tags=tags or TagFilter(), events=events, clock=clock)
    window, hop = (round(store.settings[name] * SAMPLE_RATE_HZ) for name in ("window", "hop"))
    scoring = scoring_at(window, hop, settings, store.labels)
    run = RunInfo(with_questions(scored_with(store), settings, scoring), scoring.selector.grouping.labels)
    return WrittenResults(path, run, lambda: one_by_one(rows_of_store(open_store(path), scoring)), has_all_scores=True)
