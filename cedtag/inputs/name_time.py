"""When recordings began, by their names."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cedtag.inputs.clock import offset_of, time_of_parts
from cedtag.inputs.found_time import FoundTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.records import Source

YEARS = range(1990, 2100)  # others are serial numbers

_COLON = "[-_.:h\uff1a\ua789]?"  # colons and the letters that stand for them where file systems forbid them
_TIME = (
    rf"(?P<hour>\d\d)(?P<t>{_COLON})(?P<minute>\d\d)(?:(?P=t)|m)(?P<second>\d\d)s?(?!\d)"
    r"(?:[.,](?P<fraction>\d{1,9})(?=[Zz+_. -]|$))?"
    r"(?P<zone>[Zz](?![A-Za-z])|[ _]?(?i:UTC|GMT)(?:[+-]\d{1,2}(?::?\d\d)?)?(?![A-Za-z\d])"
    r"|[ _]?\+\d\d(?::?\d\d)?(?!\d)|-\d\d(?::?\d\d)?(?!\d))?"
)
# 20240501_053000, SM4_20240501_053000, 2024-05-01T05-30-00, 20240501T053000+1000, 5678.240501053000
_IN_NAMES = (
    re.compile(
        r"(?<!\d)(?P<year>\d{4})(?P<s>[-_.:]?)(?P<month>\d\d)(?P=s)(?P<day>\d\d)(?P<between>[-_Tt. :]*| at )" + _TIME
    ),
    re.compile(
        r"\.(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?!\d)"
        r"(?P<zone>[Zz](?![A-Za-z]))?"
    ),
)
# 20240501/053000.wav and 2024/05/01/05-30-00.wav
_IN_FOLDERS = re.compile(
    r"(?:.*/)?(?P<year>\d{4})(?P<s>[-_.:/]?)(?P<month>\d\d)(?P=s)(?P<day>\d\d)/(?P<between>[Tt]?)" + _TIME
)
_HEXADECIMAL = re.compile(r"[0-9A-F]{8}")
_HEX_RANGE = (1_262_304_000, 4_102_444_800)  # 2010 to 2100: eight digits may also be a date or a serial number
# Offsets west of Greenwich that were in use since 1990, in minutes: all others after a hyphen are running numbers.
_WEST_MINUTES = {*range(60, 721, 60), 150, 210, 270, 570}


def time_in_name(source: Source, zone: tzinfo) -> FoundTime | None:
    """The earliest time in the name of a file, so that of a start and an end it is the start."""
    name = PurePath(source.name).name
    for pattern in _IN_NAMES:
        if times := list(_times_in(name, pattern, zone)):
            return _earliest(times)
    return _time_below_date(source, zone) or _hexadecimal_time(PurePath(name).stem)


def _times_in(text: str, pattern: re.Pattern[str], zone: tzinfo) -> Iterator[FoundTime]:
    place = 0
    while match := pattern.search(text, place):
        time = _time_of(match, zone)
        place = match.end() if time else match.start() + 1
        if time:
            yield time


def _earliest(times: list[FoundTime]) -> FoundTime:
    """The earliest time, with a note where the times do not look like a start and an end."""
    found = min(times, key=lambda time: time.at)
    last = max(times, key=lambda time: time.at)
    if found is times[0] and last.at - found.at <= timedelta(days=1):
        return found
    return found.noted(f"its name holds {found.shown()} and {last.shown()}; the earlier was taken as its start")


def _time_below_date(source: Source, zone: tzinfo) -> FoundTime | None:
    """The time that is the whole name of a file, on the date that is the name of its folder or folders."""
    stem = PurePath(source.name).stem
    if not re.match(r"[Tt]?\d\d", stem):
        return None
    try:
        folder = (Path.cwd() / source.name).parent
    except OSError:  # the working directory is gone
        folder = Path(source.name).parent
    match = _IN_FOLDERS.fullmatch((folder / stem).as_posix())
    return _time_of(match, zone) if match else None


def _hexadecimal_time(stem: str) -> FoundTime | None:
    """The seconds since 1970 that early AudioMoths wrote as eight hexadecimal digits."""
    if not _HEXADECIMAL.fullmatch(stem) or not _HEX_RANGE[0] <= int(stem, 16) < _HEX_RANGE[1]:
        return None
    found = FoundTime(datetime.fromtimestamp(int(stem, 16), timezone.utc), "its name", has_zone=True)
    if not stem.isdecimal():
        return found
    return found.guessed(f"{stem} was read as an AudioMoth's hexadecimal time, {found.shown()}, not as a serial number")


def _time_of(match: re.Match[str], zone: tzinfo) -> FoundTime | None:
    parts = match.groupdict()
    if len(parts["year"]) == 2:
        parts["year"] = "20" + parts["year"]
    follows_t = parts.get("between") in ("T", "t")
    text = (parts["zone"] or "").lstrip(" _")
    own_zone = _own_zone(text, follows_t=follows_t)
    if own_zone is None and len(parts.get("fraction") or "") < 3:
        parts["fraction"] = ""  # short ones are the numbers of copies
    time = time_of_parts(parts, own_zone or zone)
    if time is None or time.year not in YEARS:
        return None
    found = FoundTime(time, "its name", has_zone=own_zone is not None)
    if text.startswith("+") and own_zone is None:
        return found.noted(f"{text} in its name is no offset from UTC and was ignored")
    if re.fullmatch(r"-\d{4}", text) and own_zone is not None and not follows_t:
        return found.guessed(f"{text} was read as the offset from UTC, not as a running number")
    return found


def _own_zone(text: str, *, follows_t: bool) -> tzinfo | None:
    """The zone of text after a time, if it is a real offset from UTC: behind a hyphen it is often a running number."""
    offset = offset_of(text)
    if offset is None or not text.startswith("-"):
        return offset
    is_offset = follows_t if len(text) == 3 else ":" in text or -_minutes(offset) in _WEST_MINUTES
    return offset if is_offset else None


def _minutes(offset: tzinfo) -> int:
    difference = offset.utcoffset(None)
    assert difference is not None
    return int(difference.total_seconds()) // 60
