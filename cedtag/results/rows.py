"""Rows put together: the tags of a window, the windows of a recording."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from cedtag.records import SoundEvent, TagResult
from cedtag.results.fields import wrong_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """What one line holds: an event, a window, or the tag of that rank (from 1) of a window."""

    line: int
    result: TagResult | SoundEvent
    rank: int = 0


def by_recording(path: Path, rows: Iterable[Row]) -> Iterator[tuple[str, Iterator[TagResult | SoundEvent]]]:
    """The name of each recording with its windows or events; InputError for one whose rows stand in two places."""
    seen: set[str] = set()
    for name, of_recording in groupby(rows, key=lambda row: row.result.source.name):
        yield name, _whole(path, of_recording, again=name in seen)
        seen.add(name)


def _whole(path: Path, rows: Iterable[Row], *, again: bool) -> Iterator[TagResult | SoundEvent]:
    """The windows with all their tags, counted from 0, or the events."""
    window: TagResult | None = None
    num_windows = rank = 0
    for row in rows:
        if again:
            name = row.result.source.name
            raise wrong_line(path, row.line, f"rows of {name} stand in two places; sort them by file and start")
        if isinstance(row.result, SoundEvent):
            yield row.result
            continue
        if window and row.rank > rank and _place(row.result) == _place(window):
            window = replace(window, tags=window.tags + row.result.tags)
        else:
            if window:
                if row.result.start < window.start:
                    raise wrong_line(path, row.line, "this row is earlier than the one before; sort by file and start")
                yield window
            window = replace(row.result, index=num_windows)
            num_windows += 1
        rank = row.rank
    if window:
        yield window


def _place(window: TagResult) -> tuple[int, int, int]:
    return window.start, window.stop, window.channel
