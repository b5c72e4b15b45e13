"""Where start times come from, and times and zones as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from cedtag.errors import InputError

WAYS = ("auto", "name", "metadata", "none")


@dataclass(frozen=True, slots=True)
class Clock:
    """Where start times come from.

    `start_time` is one of `WAYS`, or the time itself in ISO 8601; `timezone` is that of times without an offset: a name
    such as Europe/Berlin, or an offset such as +02:00.
    """

    start_time: str = "none"
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        zone = self.zone
        if self.start_time not in WAYS:
            parse_time(self.start_time, zone)

    @property
    def zone(self) -> tzinfo:
        """The zone of times without an offset."""
        return parse_zone(self.timezone)

    @property
    def is_off(self) -> bool:
        """Whether no start times are wanted."""
        return self.start_time == "none"


@lru_cache(maxsize=8)
def parse_zone(text: str) -> tzinfo:
    """The zone of a name such as Europe/Berlin, or an offset such as +02:00."""
    if (offset := re.fullmatch(r"(?:UTC)?([+-])(\d{1,2})(?::?(\d\d))?", text)) is not None:
        return _offset(offset[1], offset[2], offset[3])
    try:
        return timezone.utc if text.upper() in ("UTC", "Z") else ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(f"`timezone` {text}: no such zone; write UTC, +02:00, or a name like Europe/Berlin") from error


def parse_time(text: str, zone: tzinfo) -> datetime:
    """A time in ISO 8601, in `zone` unless it tells its own."""
    try:
        time = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", text))
    except ValueError as error:
        raise InputError(
            f"`start_time` {text}: write {', '.join(WAYS)}, or a time such as 2024-05-01T05:30:00+02:00"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=zone)


def _offset(sign: str, hours: str, minutes: str | None) -> tzinfo:
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if offset > timedelta(hours=15):
        raise InputError(f"{sign}{hours}: no zone is that far from UTC")
    return timezone(-offset if sign == "-" else offset)
