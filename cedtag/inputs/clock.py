"""Where start times come from, and times and zones as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

WAYS = ("auto", "name", "metadata", "none")
YEARS = range(1800, 2201)  # of start times that are given; the arithmetic of datetime ends at 1 and at 9999

_ZONE = r"(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?"
ISO_TIME = (
    r"(?P<year>\d{4})(?P<s>-?)(?P<month>\d\d)(?P=s)(?P<day>\d\d)"
    r"(?:[Tt ] *(?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)? *" + _ZONE + ")?"
)
_OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?", re.IGNORECASE)
_TOO_FAR = "no zone is that far from UTC; offsets go from -12:00 to +14:00"


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
    """The zone of a name such as Europe/Berlin, in any case, or of an offset such as +02:00."""
    if (offset := _offset(text)) is not None:
        if not _is_on_earth(offset):
            raise InputError(f"`timezone` {text}: {_TOO_FAR}")
        return timezone(offset)
    if text.upper() in ("UTC", "GMT", "Z"):
        return timezone.utc
    try:
        return _named_zone(text)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(f"`timezone` {_shown(text)}: {_no_such_zone(text)}") from error


def parse_time(text: str, zone: tzinfo) -> datetime:
    """A time in ISO 8601, in `zone` unless it carries its own offset."""
    match = re.fullmatch(ISO_TIME, text.strip())
    time = time_of_parts(match.groupdict(), zone) if match else None
    if match is None or time is None:
        raise InputError(
            f"`start_time` {_shown(text)}: write {', '.join(WAYS)}, or a time such as 2024-05-01T05:30:00+02:00"
        )
    if time.year not in YEARS:
        raise InputError(f"`start_time` {text}: the year must be from {YEARS[0]} to {YEARS[-1]}")
    offset = _offset(match["zone"] or "")
    if offset is not None and not _is_on_earth(offset):
        raise InputError(f"`start_time` {text}: {_TOO_FAR}")
    return time if not match["zone"] else time.replace(tzinfo=timezone(offset or timedelta(0)))


def time_of_parts(parts: Mapping[str, str | None], zone: tzinfo) -> datetime | None:
    """The time with these parts (year, month, ... fraction of a second); None where there is no such time."""
    year, month, day, hour, minute, second = (
        int(parts.get(name) or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    microsecond = int(f"{parts.get('fraction') or '':0<6.6}")
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
    except ValueError:
        return None


def offset_of(text: str) -> tzinfo | None:
    """The zone of an offset from UTC such as Z, +02:00, -0330 or UTC+2; None for one that no zone has."""
    if text.upper() in ("UTC", "GMT", "Z"):
        return timezone.utc
    offset = _offset(text)
    is_real = offset is not None and _is_on_earth(offset) and offset % timedelta(minutes=15) == timedelta(0)
    return timezone(offset) if offset is not None and is_real else None


def change_of_clocks(time: datetime) -> str | None:
    """A sentence about a local time that occurs twice or never where the clocks are changed; None for all others."""
    first, second = time.replace(fold=0), time.replace(fold=1)
    if first.utcoffset() == second.utcoffset():
        return None
    local = time.replace(tzinfo=None).isoformat(" ", "seconds")
    if _exists(first):
        return (
            f"its start, {local}, occurs twice in {time.tzinfo} ({first:%z} and {second:%z}); "
            f"the first, {first.isoformat()}, was taken"
        )
    return (
        f"its start, {local}, does not exist in {time.tzinfo}: the clocks were put forward there; "
        f"the offset before the change, {first.isoformat()}, was taken"
    )


def _offset(text: str) -> timedelta | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    return -offset if match["sign"] == "-" else offset


def _is_on_earth(offset: timedelta) -> bool:
    return timedelta(hours=-12) <= offset <= timedelta(hours=14)


def _exists(time: datetime) -> bool:
    there_and_back = time.astimezone(timezone.utc).astimezone(time.tzinfo)
    return there_and_back.replace(tzinfo=None) == time.replace(tzinfo=None)


def _named_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        for known in available_timezones():
            if known.casefold() == name.casefold():
                return ZoneInfo(known)
        raise


def _no_such_zone(text: str) -> str:
    """What is wrong with the name of a zone, and what to write."""
    if text and not available_timezones():
        return (
            "there are no time zone data on this system; install them (the package tzdata), or write an offset from "
            "UTC such as +02:00"
        )
    return "no such zone; write UTC, +02:00, or a name like Europe/Berlin"


def _shown(text: str) -> str:
    """A value in a message: quoted where it is empty, cut where it is long."""
    return (text if len(text) <= 60 else text[:60] + "...") or '""'
