"""The columns with the time on the clock, for recordings whose start time is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.records import SAMPLES_PER_MS, TimedSource

if TYPE_CHECKING:
    from cedtag.records import SoundEvent, Source, TagResult
    from cedtag.writers.run_info import RunInfo

COLUMNS = ("abs_start", "abs_end")
_YEARS = range(100, 9900)


def shows_clock(run: RunInfo) -> bool:
    """Whether rows of this run have columns for the time on the clock."""
    return "start-time" in run.settings


def began_of_row(abs_start: str, start: int) -> str:
    """The start of a recording in ISO 8601, by the clock time of its row that begins at sample `start`.

    ValueError for what is no time, and for years with which datetime cannot calculate.
    """
    time = datetime.fromisoformat(abs_start)
    if time.year not in _YEARS:
        raise ValueError(f"abs_start is {abs_start}; the year must be from {_YEARS[0]} to {_YEARS[-1]}")
    return (time - _length(start)).isoformat()


def clock_times(result: TagResult | SoundEvent) -> tuple[str, str] | None:
    """Start and end on the clock, in ISO 8601 with milliseconds, cut, and the offset from UTC; None if not known."""
    return clock_times_at(result.source, result.start, result.stop)


def clock_times_at(source: Source, begin: int, end: int) -> tuple[str, str] | None:
    """The same of these samples of a recording."""
    if not isinstance(source, TimedSource):
        return None
    try:
        began = datetime.fromisoformat(source.began)
        start, stop = (began + _length(sample) for sample in (begin, end))
    except (ValueError, OverflowError) as error:  # a journal of an earlier version
        raise InputError(f"{source.name}: its start time, {source.began}, is out of range") from error
    return start.isoformat(timespec="milliseconds"), stop.isoformat(timespec="milliseconds")


def _length(samples: int) -> timedelta:
    return timedelta(milliseconds=samples // SAMPLES_PER_MS)
