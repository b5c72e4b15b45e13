"""When recordings began: from their names, or from what recorders write into them."""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone, tzinfo
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

from cedtag.audio.containers.chunks import LAYOUTS, chunks
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.open import open_regular
from cedtag.errors import AudioError, InputError
from cedtag.inputs.clock import WAYS, Clock, parse_time, parse_zone
from cedtag.records import Source, TimedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


Item = TypeVar("Item")
MAX_CHUNK_BYTES = 1 << 20

# 20240501_053000, SM4_20240501_053000, 2024-05-01T05-30-00, 20240501T053000+1000, 5678.240501053000
_IN_NAMES = (
    re.compile(
        r"(?<!\d)(?P<year>\d{4})(?P<s>[-_.]?)(?P<month>\d\d)(?P=s)(?P<day>\d\d)[-_T. ]*"
        r"(?P<hour>\d\d)(?P<t>[-_.:]?)(?P<minute>\d\d)(?P=t)(?P<second>\d\d)(?!\d)(?P<zone>Z|[+-]\d\d:?\d\d(?!\d))?"
    ),
    re.compile(
        r"\.(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?!\d)(?P<zone>Z)?"
    ),
)
_HEXADECIMAL = re.compile(r"[0-9A-F]{8}")
_HEX_RANGE = (1_262_304_000, 4_102_444_800)  # 2010 to 2100: eight digits may also be a date or a serial number
_AUDIOMOTH = re.compile(
    r"Recorded at (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.\d+)? (?P<day>\d\d)/(?P<month>\d\d)/"
    r"(?P<year>\d{4}) \(UTC(?P<zone>[+-]\d{1,2}(?::?\d\d)?)?\)"
)
_BEXT = re.compile(
    r"(?P<year>\d{4})[^\d](?P<month>\d\d)[^\d](?P<day>\d\d)(?P<hour>\d\d)[^\d](?P<minute>\d\d)[^\d](?P<second>\d\d)"
)
_GUANO = re.compile(
    r"^Timestamp: *(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?P<fraction>\.\d{1,6})?\d* *(?P<zone>Z|[+-]\d\d:?\d\d)?",
    re.MULTILINE,
)


def start_time_of(source: Source, clock: Clock) -> datetime | None:
    """The start time of a recording; None where there is none to be found."""
    zone = clock.zone
    if clock.start_time not in WAYS:
        return parse_time(clock.start_time, zone)
    return next((time for find in _SEARCHES[clock.start_time] if (time := find(source, zone)) is not None), None)


def timed(sources: Iterable[Item], clock: Clock) -> Iterator[Item | Source]:
    """Pass everything on, recordings with the time at which they began, if that is known."""
    for place, item in enumerate(sources):
        if isinstance(item, Source):
            if place and clock.start_time not in WAYS:
                raise InputError(
                    f"`start_time` {clock.start_time} is that of one recording; here are more, so use auto"
                )
            yield with_time(item, clock)
        else:
            yield item


def with_time(source: Source, clock: Clock) -> Source:
    began = start_time_of(source, clock)
    return source if began is None else timed_source(source, began.isoformat())


def timed_source(source: Source, began: str) -> TimedSource:
    s = source
    return TimedSource(s.path, s.name, s.relative, s.root, s.size, s.mtime_ns, began)


def time_in_name(source: Source, zone: tzinfo) -> datetime | None:
    """The last time in the name of a file: what stands before it is a station or a serial number."""
    name = PurePath(source.name).name
    for pattern in _IN_NAMES:
        for match in reversed(list(pattern.finditer(name))):
            if (time := _time_of(match, zone)) is not None:
                return time
    stem = PurePath(name).stem
    if _HEXADECIMAL.fullmatch(stem) and _HEX_RANGE[0] <= int(stem, 16) < _HEX_RANGE[1]:
        return datetime.fromtimestamp(int(stem, 16), timezone.utc)
    return None


def time_of_recorder(source: Source, zone: tzinfo) -> datetime | None:
    """What GUANO or an AudioMoth's comment tells."""
    found = _read_chunks(source, (b"guan", b"LIST"))
    for kind, pattern in ((b"guan", _GUANO), (b"LIST", _AUDIOMOTH)):
        match = pattern.search(found.get(kind, b"").decode("utf-8", "replace"))
        if match and (time := _time_of(match, timezone.utc if kind == b"LIST" else zone)):
            return time
    return None


def time_of_broadcast_wave(source: Source, zone: tzinfo) -> datetime | None:
    """The date and time of origin of a broadcast wave file."""
    contents = _read_chunks(source, (b"bext",)).get(b"bext", b"")
    match = _BEXT.fullmatch(contents[320:338].decode("ascii", "replace"))
    return _time_of(match, zone) if match else None


_SEARCHES: dict[str, tuple[Callable[[Source, tzinfo], datetime | None], ...]] = {
    "none": (),
    "name": (time_in_name,),
    "metadata": (time_of_recorder, time_of_broadcast_wave),
    # Editors write their own date of origin, so a name goes before it.
    "auto": (time_of_recorder, time_in_name, time_of_broadcast_wave),
}


def _read_chunks(source: Source, kinds: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """The contents of the last chunk of each kind in a WAV file."""
    try:
        fd = open_regular(source)
    except AudioError:  # the run will say so
        return {}
    try:
        file = FileBytes(fd)
        if file.at(0, 4) not in (b"RIFF", b"RF64"):
            return {}
        layout = LAYOUTS[b"RIFF"]
        found = [chunk for chunk in chunks(file, layout, layout.first_chunk) if chunk.kind in kinds]
        return {chunk.kind: file.at(chunk.offset, min(chunk.size, MAX_CHUNK_BYTES)) for chunk in found}
    finally:
        os.close(fd)


def _time_of(match: re.Match[str], zone: tzinfo) -> datetime | None:
    parts = match.groupdict()
    year = int(parts["year"]) + (2000 if len(parts["year"]) == 2 else 0)
    if not 1990 <= year < 2100:  # a serial number
        return None
    month, day, hour, minute, second = (int(parts[name]) for name in ("month", "day", "hour", "minute", "second"))
    try:
        time = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    if fraction := parts.get("fraction"):
        time = time.replace(microsecond=round(float(fraction) * 1_000_000))
    return time if not parts.get("zone") else time.replace(tzinfo=parse_zone(parts["zone"]))
