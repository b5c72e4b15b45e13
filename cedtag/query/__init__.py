"""Questions to a store of scores, answered as `cedtag tag` would answer them with the recordings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.query.answers import results_of
from cedtag.query.clock import clock_of
from cedtag.records import SAMPLE_RATE_HZ, FileEnd, FileFailed
from cedtag.results.convert import write_results
from cedtag.run.archive import check_arrangement, scoring_at
from cedtag.run.settings import with_questions
from cedtag.run.summary import Summary, write_summary
from cedtag.store.facts import MAKER
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from cedtag.records import Result
    from cedtag.run.outputs.destination import Destination
    from cedtag.run.settings import RunSettings
    from cedtag.store.read import Store


def query(
    store: Store,
    settings: RunSettings,
    on_outcome: Callable[[FileEnd | FileFailed, Summary], object] = lambda outcome, summary: None,
    inputs: Sequence[Path] = (),
) -> Summary:
    """Write to `settings.destination` what a run with these tags, events and clock would have; its counts.

    The bytes are those of `cedtag tag` with the same options. What shapes scores was decided when the store was
    written, and that part of the settings counts for nothing. `inputs` are files that may not be written over. Raises
    InputError and OutputError.
    """
    check_arrangement(settings)
    _check_outside(store.path, settings.destination)
    window, hop = (round(store.settings[name] * SAMPLE_RATE_HZ) for name in ("window", "hop"))
    scoring = scoring_at(window, hop, settings, store.labels)
    made_of = with_questions(scored_with(store), settings, scoring)
    run = settings.destination.arranged(RunInfo(made_of, scoring.selector.grouping.labels, events=scoring.events))
    summary = Summary(part_start=round(store.settings.get("from_s", 0) * SAMPLE_RATE_HZ))
    clocked, silence = clock_of(store, settings.clock), shows_silence(settings.destination)
    rows = results_of(store, scoring, clocked, shows_silence=silence)
    write_results(_told(rows, summary, on_outcome), run, settings.destination, inputs)
    write_summary(settings.destination.summary, summary, run)
    return summary


def scored_with(store: Store) -> dict[str, Any]:
    """The settings that decided the scores of a store, with what computed them."""
    made_by = store.facts.written_by
    made_of = {**store.settings, **{name: made_by[name] for name in MAKER if name in made_by}}
    return {name: value for name, value in made_of.items() if name not in ("start-time", "timezone")}


def shows_silence(destination: Destination) -> bool:
    """Whether windows without tags are seen in what is written."""
    writers = [*destination.writers(), *destination.files_beside().values()]
    return destination.layout == "wide" or not all(getattr(writer, "skips_silence", False) for writer in writers)


def _told(
    rows: Iterator[Result], summary: Summary, on_outcome: Callable[[FileEnd | FileFailed, Summary], object]
) -> Iterator[Result]:
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
