"""The columns with the time on the clock, for recordings whose start time is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cedtag.records import TimedSource

if TYPE_CHECKING:
    from cedtag.records import SoundEvent, TagResult
    from cedtag.writers.run_info import RunInfo

COLUMNS = ("abs_start", "abs_end")


def shows_clock(run: RunInfo) -> bool:
    """Whether rows of this run have columns for the time on the clock."""
    return "start-time" in run.settings


def clock_times(result: TagResult | SoundEvent) -> tuple[str, str] | None:
    """Start and end on the clock, in ISO 8601 with milliseconds, cut, and the offset from UTC; None if not known."""
    if not isinstance(result.source, TimedSource):
        return None
    began = datetime.fromisoformat(result.source.began)
    start, stop = (began + timedelta(milliseconds=sample // 16) for sample in (result.start, result.stop))
    return start.isoformat(timespec="milliseconds"), stop.isoformat(timespec="milliseconds")
