"""Events made of results that are written."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.events.detect import detect_events
from cedtag.events.missing_windows import with_silent_windows
from cedtag.labels.groups import ontology
from cedtag.records import SoundEvent, TagResult
from cedtag.results.convert import joined, known_labels, open_all, require_facts, write_results

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cedtag.events.settings import EventSettings
    from cedtag.labels.tag_filter import TagFilter
    from cedtag.records import FileEnd, FileFailed, Result
    from cedtag.results.count import Written
    from cedtag.results.written import WrittenResults
    from cedtag.run.outputs.destination import Destination
    from cedtag.writers.run_info import RunInfo


def write_events(
    paths: Sequence[Path],
    settings: EventSettings,
    destination: Destination,
    *,
    window_s: float = 10.0,
    tags: TagFilter | None = None,
) -> Written:
    """Write the events of the results in these files, made of the tags that `tags` wants; counts of what was written.

    Tables without the journal of their run hold no windows without tags; those of `window_s` seconds, one after
    another, are put in their places. InputError where the results lack what the events need.
    """
    destination.check()
    if destination.layout == "wide":
        raise InputError("`layout` wide has a row per window, and events are none; leave it out")
    files = open_all(paths, tags, settings)
    for file in files:
        require_facts(file, destination)
    run, events = events_of(files, settings, window_s)
    return write_results(events, destination.arranged(run), destination, paths)


def events_of(
    files: Sequence[WrittenResults], settings: EventSettings, window_s: float
) -> tuple[RunInfo, Iterator[SoundEvent | FileEnd | FileFailed]]:
    """The events of the results in these files: see `write_events`."""
    if settings.onsets or settings.offsets:
        settings = settings.for_labels(ontology(known_labels(files)))
    for file in files:
        _check_scores(file, settings)
        if settings.pad_offset_s and not file.has_windows:
            file.require_ends("`pad_offset_s`")
    run, _ = joined(files)
    results = chain.from_iterable(_with_all_windows(file, window_s) for file in files)
    return replace(run, events=settings), detect_events(_no_events(results), settings)


def events_in(
    files: Sequence[WrittenResults], settings: EventSettings, window_s: float
) -> Iterator[SoundEvent | FileEnd | FileFailed]:
    """The events that these files hold, or those of their windows."""
    results = chain.from_iterable(file.results() for file in files)
    if isinstance(next(results, None), SoundEvent):
        return (result for file in files for result in file.results() if not isinstance(result, TagResult))
    return events_of(files, settings, window_s)[1]


def _with_all_windows(file: WrittenResults, window_s: float) -> Iterator[Result]:
    return file.results() if file.has_windows else with_silent_windows(file.results(), window_s)


def _check_scores(file: WrittenResults, settings: EventSettings) -> None:
    """InputError where scores are missing that the mean over overlapping windows needs."""
    made = file.run.settings if file.run is not None else {}
    is_whole = made.get("hop", 0) >= made.get("window", 0) or made.get("refine") or made.get("frames")
    if file.has_all_scores or is_whole:
        return
    if made.get("threshold", 0) > 0 or made.get("thresholds") or made.get("top-k", 0) > 0:
        raise InputError(
            f"{file.path}: its windows overlap, and the mean of their scores, of which events are made, needs those "
            "below the threshold, too; tag with -k 0 -t 0, or make the events with the recordings: cedtag events PATH"
        )


def _no_events(rows: Iterable[Result]) -> Iterator[Result]:
    for row in rows:
        if isinstance(row, SoundEvent):
            raise InputError(
                f"{row.source.name}: these are events already; cedtag convert writes them in other formats"
            )
        yield row
