"""Events made of results that are written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.events.detect import detect_events
from cedtag.events.missing_windows import with_silent_windows
from cedtag.labels.groups import ontology
from cedtag.labels.table import audioset
from cedtag.records import SoundEvent
from cedtag.results.convert import read_all, write_results

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cedtag.events.settings import EventSettings
    from cedtag.records import Result
    from cedtag.run.outputs.destination import Destination


def write_events(
    paths: Sequence[Path], settings: EventSettings, destination: Destination, *, window_s: float = 10.0
) -> None:
    """Write the events of the results in these files.

    Windows without tags have no row in tables; those of `window_s` seconds, one after another, are put in their places.
    """
    run, results = read_all(paths)
    settings = settings.for_labels(run.labels or ontology(audioset()))
    if table := _row_per_tag(paths):
        if settings.pad_offset_s:
            raise InputError(
                f"{table}: `pad_offset_s` needs the ends of recordings, which a table with a row per tag does not "
                "hold; make events of jsonl, json or a journal"
            )
        results = with_silent_windows(results, window_s)
    write_results(detect_events(_no_events(results), settings), replace(run, events=settings), destination)


def _row_per_tag(paths: Sequence[Path]) -> Path | None:
    """The first of the files that is a table in which windows without tags have no row."""
    for path in paths:
        with path.open("rb") as file:
            head = file.readline(1 << 16)
        if not head.startswith(b"{") and b"rank" in head.strip().replace(b"\t", b",").split(b","):
            return path
    return None


def _no_events(rows: Iterable[Result]) -> Iterator[Result]:
    for row in rows:
        if isinstance(row, SoundEvent):
            raise InputError(
                f"{row.source.name}: these are events already; cedtag convert writes them in other formats"
            )
        yield row
