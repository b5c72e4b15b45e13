"""When recordings began, by what recorders and editors write into WAV files."""

from __future__ import annotations

import os
import re
from datetime import timezone, tzinfo
from typing import TYPE_CHECKING

from cedtag.audio import members
from cedtag.audio.containers.chunks import LAYOUTS, chunks
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.containers.span import without_leading_tags
from cedtag.audio.open import open_regular
from cedtag.audio.ranged import ends_of
from cedtag.errors import AudioError
from cedtag.inputs.clock import ISO_TIME, offset_of, time_of_parts
from cedtag.inputs.found_time import FoundTime
from cedtag.inputs.name_time import YEARS
from cedtag.system.remote import WithoutRangesError, is_url
from cedtag.system.shortages import is_shortage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.records import Source

MAX_CHUNK_BYTES = 1 << 20
_MOST_CHUNKS = 4  # of one kind that are kept, the last: no sound file has more

_AUDIOMOTH = re.compile(
    r"Recorded at (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d+))? "
    r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4})(?: \(UTC(?P<zone>[+-]\d{1,2}(?::?\d\d)?)?\)| by AudioMoth)"
)
_MOTH = "the AudioMoth's comment"
_BEXT = re.compile(
    r"(?P<year>\d{4})[^\d](?P<month>\d\d)[^\d](?P<day>\d\d)(?P<hour>\d\d)[^\d](?P<minute>\d\d)[^\d](?P<second>\d\d)"
)
_GUANO = re.compile(r"^Timestamp: *" + ISO_TIME.replace(r"\d\d(?::?\d\d)?)?", r"\d{1,2}(?::?\d\d)?)?"), re.MULTILINE)
_WAMD = re.compile(ISO_TIME)
_WAMD_TIMESTAMP = 5


def times_of_recorder(source: Source, zone: tzinfo) -> Iterator[FoundTime]:
    """What GUANO, Song Meter's `wamd` and AudioMoth's comment hold, in this order."""
    found = _read_chunks(source, (b"guan", b"wamd", b"LIST"))
    searches = (
        (b"guan", "GUANO", _GUANO),
        (b"wamd", "the Song Meter's metadata", _WAMD),
        (b"LIST", _MOTH, _AUDIOMOTH),
    )
    for kind, origin, pattern in searches:
        for contents in found.get(kind, []):
            text = _wamd_timestamp(contents) if kind == b"wamd" else contents
            match = pattern.search(text.decode("utf-8", "replace"))
            if match and (time := _time_of(match, origin, zone)):
                yield time
                break


def time_of_broadcast_wave(source: Source, zone: tzinfo) -> FoundTime | None:
    """The date and time of origin of a broadcast wave file."""
    for contents in _read_chunks(source, (b"bext",)).get(b"bext", []):
        match = _BEXT.fullmatch(contents[320:338].decode("ascii", "replace"))
        if match and (time := _time_of(match, "bext", zone)):
            return time
    return None


def _time_of(match: re.Match[str], origin: str, zone: tzinfo) -> FoundTime | None:
    parts = match.groupdict()
    text = parts.get("zone") or ""
    own_zone = timezone.utc if origin == _MOTH and not text else offset_of(text)
    time = time_of_parts(parts, own_zone or zone)
    if time is None or time.year not in YEARS:
        return None
    found = FoundTime(time, origin, has_zone=own_zone is not None)
    if not text or own_zone is not None:
        return found
    return found.noted(f"the offset from UTC in {origin}, {text}, is that of no zone; {time.isoformat()} was taken")


def _wamd_timestamp(contents: bytes) -> bytes:
    """The start of the recording in a `wamd` chunk: entries of a type (2 bytes), a length (4 bytes) and a value."""
    place = 0
    while place + 6 <= len(contents):
        kind, size = (int.from_bytes(contents[place + at : place + to], "little") for at, to in ((0, 2), (2, 6)))
        if kind == _WAMD_TIMESTAMP:
            return contents[place + 6 : place + 6 + size]
        place += 6 + size
    return b""


def _read_chunks(source: Source, kinds: tuple[bytes, ...]) -> dict[bytes, list[bytes]]:
    """The contents of the chunks of each kind in a WAV file, the last first."""
    if is_url(source.path) and not members.split(source.path):
        try:
            return _chunks_of(ends_of(source.name, source.path), kinds)
        except AudioError as error:
            if not isinstance(error.__cause__, WithoutRangesError):
                return {}
    try:
        fd = open_regular(source)
    except AudioError:  # the run will report it
        return {}
    try:
        return _chunks_of(FileBytes(fd), kinds)
    except OSError as error:
        if is_shortage(error):
            raise
        return {}  # the run will report a bad disk, too
    finally:
        os.close(fd)


def _chunks_of(contents: FileBytes, kinds: tuple[bytes, ...]) -> dict[bytes, list[bytes]]:
    file = without_leading_tags(contents)
    if file.at(0, 4) not in (b"RIFF", b"RF64"):
        return {}
    layout = LAYOUTS[b"RIFF"]
    found: dict[bytes, list[bytes]] = {}
    for chunk in chunks(file, layout, layout.first_chunk):
        if chunk.kind in kinds:
            of_kind = found.setdefault(chunk.kind, [])
            of_kind.insert(0, file.at(chunk.offset, min(chunk.size, MAX_CHUNK_BYTES)))
            del of_kind[_MOST_CHUNKS:]
    return found
