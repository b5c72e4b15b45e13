"""When recordings began: from their names, or from what recorders write into them."""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from cedtag.errors import InputError
from cedtag.inputs.clock import WAYS, Clock, change_of_clocks, parse_time
from cedtag.inputs.found_time import FoundTime
from cedtag.inputs.name_time import time_in_name
from cedtag.inputs.recorder_time import time_of_broadcast_wave, times_of_recorder
from cedtag.records import FileEnd, Skipped, Source, TimedSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, tzinfo

Item = TypeVar("Item")
logger = logging.getLogger(__name__)


def start_time_of(source: Source, clock: Clock) -> datetime | None:
    """The start time of a recording; None where there is none to be found."""
    found = find_start_time(source, clock)
    return found.at if found else None


def find_start_time(source: Source, clock: Clock) -> FoundTime | None:
    """The start time of a recording with what is doubtful about it; None where there is none to be found."""
    zone = clock.zone
    if clock.start_time not in WAYS:
        found: FoundTime | None = FoundTime(parse_time(clock.start_time, zone), "the given time")
    elif clock.start_time == "name":
        found = time_in_name(source, zone)
    elif clock.start_time == "metadata":
        found = next(times_of_recorder(source, zone), None) or time_of_broadcast_wave(source, zone)
    else:
        found = _most_trusted(source, zone) if clock.start_time == "auto" else None
    if found and (note := change_of_clocks(found.at)):
        return found.noted(note)
    return found


def timed(sources: Iterable[Item], clock: Clock) -> Iterator[Item | Source]:
    """Pass everything on, recordings with the time at which they began, if that is known.

    An assumption about a kind of names is logged once.
    """
    num_recordings, has_guessed = 0, False
    for item in sources:
        num_recordings += not isinstance(item, Skipped)
        if not isinstance(item, Source):
            yield item
            continue
        if num_recordings > 1 and clock.start_time not in WAYS:
            raise InputError(f"`start_time` {clock.start_time} is that of one recording; here are more, so use auto")
        found = find_start_time(item, clock)
        if found and found.guess and not has_guessed:
            has_guessed = True
            logger.warning("%s: %s; the same goes for other names of this kind", item.name, found.guess)
        yield timed_source(item, found.at.isoformat(), found.notes) if found else item


def timed_source(source: Source, began: str, notes: tuple[str, ...] = ()) -> TimedSource:
    """The recording with this start time, and warnings about it."""
    parts = {field.name: getattr(source, field.name) for field in fields(Source)}
    return TimedSource(**parts, began=began, notes=notes)


def with_notes(outcome: Item) -> Item:
    """The outcome, with what is doubtful about the start time of its recording among its warnings."""
    if isinstance(outcome, FileEnd) and isinstance(outcome.source, TimedSource) and outcome.source.notes:
        return replace(outcome, warnings=outcome.warnings + outcome.source.notes)
    return outcome


def _most_trusted(source: Source, zone: tzinfo) -> FoundTime | None:
    """What the recorder wrote, unless the name holds a later time; else the name, else bext.

    A cut keeps the metadata of the whole recording and gets a new name, which is later and right. Editors write their
    own date of origin into bext, so a name goes before it.
    """
    written, named = list(times_of_recorder(source, zone)), time_in_name(source, zone)
    if not written:
        return named or time_of_broadcast_wave(source, zone)
    if named is None:
        others = [other for other in written[1:] if not written[0].agrees_with(other)]
        return _contradicted(written[0], others[0]) if others else written[0]
    for time in written:
        if named.agrees_with(time):
            return named if named.has_zone and not time.has_zone else time
    is_cut = named.at > written[0].at
    return _contradicted(named, written[0]) if is_cut else _contradicted(written[0], named)


def _contradicted(taken: FoundTime, other: FoundTime) -> FoundTime:
    return taken.noted(
        f"{taken.origin} and {other.origin} contradict each other about its start ({taken.shown()} and "
        f"{other.shown()}); {taken.origin} was taken"
    )
