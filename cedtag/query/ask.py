"""One question to a store: its answer is written as a run would have written it."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.events.detect import detect_events
from cedtag.inputs.clock import Clock
from cedtag.labels.tagged import one_by_one
from cedtag.query import Counting
from cedtag.query.clock import clock_of
from cedtag.query.heads import heads_for, with_tags_of
from cedtag.query.hours import Hours
from cedtag.query.hours_table import check_hours, write_hours
from cedtag.records import SAMPLE_RATE_HZ, FileEnd, FileFailed
from cedtag.results.convert import write_results
from cedtag.run.checks import check_arrangement, check_stored_frames
from cedtag.run.outputs.files import make_files
from cedtag.run.plan import scoring_at
from cedtag.run.settings import with_questions
from cedtag.run.stored import rows_of_store
from cedtag.run.summary import Summary, write_summary
from cedtag.store.facts import MAKER
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from cedtag.labels.tagged import Results
    from cedtag.records import Result
    from cedtag.run.outputs.destination import Destination
    from cedtag.run.settings import RunSettings, Scoring
    from cedtag.scoring.embedding_head import EmbeddingHead
    from cedtag.store.read import Store

NO_COUNTS = Counting()


def query(
    store: Store,
    settings: RunSettings,
    counting: Counting = NO_COUNTS,
    *,
    heads: Sequence[Path] = (),
    on_outcome: Callable[[FileEnd | FileFailed, Summary], object] = lambda outcome, summary: None,
    inputs: Sequence[Path] = (),
) -> Summary:
    """Write to `settings.destination` what a run with these tags, events and clock would have; its counts.

    The bytes are those of `cedtag tag` with the same options; with `counting`, how long each class occurs is written in
    their place. What shapes scores was decided when the store was written, and that part of the settings counts for
    nothing. `heads` are folders of classes that `cedtag learn` has made, which come after those of the model; `inputs`
    are files that may not be written over. Raises InputError and OutputError.
    """
    if counting.is_wanted:
        settings = _for_counts(store, settings, counting)
    check_arrangement(settings)
    _check_outside(store.path, settings.destination)
    window, hop = (round(store.settings[name] * SAMPLE_RATE_HZ) for name in ("window", "hop"))
    learned = heads_for(store, heads)
    scoring = scoring_at(window, hop, settings, [*store.labels, *(head.label for head in learned)])
    if settings.windows.frames:
        scoring = _of_frames(store, scoring, settings, heads)
    scored = scored_with(store, learned) | ({"frames": True} if scoring.shows_columns else {})
    made_of = with_questions(scored, settings, scoring)
    run = settings.destination.arranged(RunInfo(made_of, scoring.selector.grouping.labels, events=scoring.events))
    summary = Summary(part_start=round(store.settings.get("from_s", 0) * SAMPLE_RATE_HZ))
    silence = scoring.events is None and not counting.is_wanted and shows_silence(settings.destination)
    clocked, read = clock_of(store, settings.clock), partial(with_tags_of, learned)
    found = rows_of_store(store, scoring, clocked, read=read, shows_silence=silence)
    rows = _told(
        found if scoring.events is None else detect_events(one_by_one(found), scoring.events), summary, on_outcome
    )
    if counting.is_wanted:
        _count(one_by_one(rows), Hours(counting.by, part_start=summary.part_start), run, settings.destination, inputs)
    else:
        write_results(rows, run, settings.destination, inputs)
    write_summary(settings.destination.summary, summary, run)
    return summary


def _of_frames(store: Store, scoring: Scoring, settings: RunSettings, heads: Sequence[Path]) -> Scoring:
    """The scoring by columns of tokens; InputError where the store does not hold what it asks for."""
    if settings.events is None or heads:
        raise InputError("`frames` goes with `events`, and with no `head`, which scores windows alone; leave it out")
    if (frames := store.facts.frames) is None:
        raise InputError(f"{store.path}: holds no `frames`; leave them out, or tag into a new store with `frames`")
    check_stored_frames(settings, scoring, frames.least)
    return replace(scoring, column=frames.samples)


def _for_counts(store: Store, settings: RunSettings, counting: Counting) -> RunSettings:
    """The settings with all classes of a window, and the clock of the store where bins need one."""
    if settings.tags.top_k is None:
        settings = replace(settings, tags=replace(settings.tags, top_k=0))
    if counting.by not in ("day", "hour") or not settings.clock.is_off:
        return settings
    if "start-time" not in store.settings:
        raise InputError(
            f"{store.path}: was written without start times, which `by` {counting.by} needs; name where they come from "
            "with `start_time`"
        )
    return replace(settings, clock=Clock(store.settings["start-time"], store.settings["timezone"]))


def _count(
    rows: Iterator[Result], hours: Hours, run: RunInfo, destination: Destination, inputs: Sequence[Path]
) -> None:
    check_hours(destination, inputs)
    outcomes = hours.take(rows)
    beside = destination.files_beside()
    make_files(beside, outcomes, run)
    write_hours(hours, run, destination)


def scored_with(store: Store, heads: Sequence[EmbeddingHead] = ()) -> dict[str, Any]:
    """The settings that decided the scores of a store, with what computed them, and the classes that were learned."""
    made_by = store.facts.written_by
    made_of = {**store.settings, **{name: made_by[name] for name in MAKER if name in made_by}}
    made_of = {name: value for name, value in made_of.items() if name not in ("start-time", "timezone")}
    return {**made_of, "head": [head.label.name for head in heads]} if heads else made_of


def shows_silence(destination: Destination) -> bool:
    """Whether windows without tags are seen in what is written."""
    writers = [*destination.writers(), *destination.files_beside().values()]
    return destination.layout == "wide" or not all(getattr(writer, "skips_silence", False) for writer in writers)


def _told(
    rows: Iterator[Results], summary: Summary, on_outcome: Callable[[FileEnd | FileFailed, Summary], object]
) -> Iterator[Results]:
    """Pass results on, and count and tell how recordings ended."""
    for result in rows:
        yield result
        if isinstance(result, FileEnd | FileFailed):
            summary.count(result)
            on_outcome(result, summary)


def _check_outside(store: Path, destination: Destination) -> None:
    """InputError for a place inside the store."""
    places = {"to": () if destination.is_stream else destination.to}
    places |= {name: (os.fspath(path),) for name, path in destination.named_beside().items()}
    folder = store.resolve()
    for parameter, named in places.items():
        for place in named:
            if folder in (resolved := Path(os.path.realpath(place)), *resolved.parents):
                raise InputError(
                    f"{place}: is inside of the store, which holds nothing else; name another `{parameter}`"
                )
