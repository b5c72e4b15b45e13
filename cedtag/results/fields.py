"""The fields of rows and objects that cedtag wrote, checked one by one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cedtag.errors import InputError
from cedtag.inputs.start_time import timed_source
from cedtag.records import EACH, SAMPLE_RATE_HZ, FileEnd, FileFailed, SoundEvent, Source, Tag, TagResult
from cedtag.writers.channel_column import COLUMN as CHANNEL_COLUMN
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS
from cedtag.writers.clock_columns import began_of_row
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

_LARGEST_INDEX = (1 << 31) - 1  # what tables with typed columns hold


def wrong_line(path: Path, line: int, what: object) -> InputError:
    """The error for a line of a file."""
    return InputError(f"{path}: line {line}: {what}")


@lru_cache(maxsize=1)
def source_named(name: str) -> Source:
    """The recording that results call by this name."""
    if not isinstance(name, str) or "\0" in name or not _can_be_written(name):
        raise ValueError(f"{name!r} is no name of a recording")
    relative = "/".join(part for part in name.split("/") if part not in ("", ".", ".."))
    return Source(name, name, relative, name.removesuffix(relative))


def sample_of(text: str | float) -> int:
    """The sample at a time in seconds, to the millisecond."""
    seconds = float(text)
    if not 0 <= seconds < 1e9:
        raise ValueError(f"{text} is no time in seconds")
    return round(seconds * 1000) * (SAMPLE_RATE_HZ // 1000)


def span_of(record: Mapping[str, Any]) -> tuple[int, int]:
    """Start and stop in samples."""
    start, stop = sample_of(record["start"]), sample_of(record["end"])
    if stop < start:
        raise ValueError(f"it ends ({record['end']}) before it starts ({record['start']})")
    return start, stop


def source_of(record: Mapping[str, Any]) -> Source:
    """The recording of a row, with its start time if the row holds one."""
    source = source_named(record["file"])
    if not record.get(CLOCK_COLUMNS[0]):
        return source
    return timed_source(source, began_of_row(record[CLOCK_COLUMNS[0]], sample_of(record["start"])))


def score_of(text: str | float) -> float:
    """A score from 0 to 1."""
    score = float(text)
    if not 0 <= score <= 1:
        raise ValueError(f"{text} is no score from 0 to 1")
    return score


def tag_of(record: Mapping[str, Any]) -> Tag:
    return Tag(*_class_of(record), score_of(record["score"]))


def event_of(source: Source, record: Mapping[str, Any]) -> SoundEvent:
    start, stop = span_of(record)
    what = _class_of(record)
    return SoundEvent(
        source, start, stop, *what, score_of(record["peak"]), score_of(record["mean"]), channel_of(record)
    )


def window_of(source: Source, index: int, record: Mapping[str, Any]) -> TagResult:
    return TagResult(source, index, *span_of(record), tuple(map(tag_of, record["tags"])), channel_of(record))


def outcome_of(source: Source, num_windows: int, record: Mapping[str, Any]) -> FileEnd | FileFailed:
    """How a recording ended."""
    if record["status"] == "failed":
        return FileFailed(source, str(record["stage"]), str(record["error"]))
    problems, warnings = tuple(map(str, record["problems"])), tuple(map(str, record["warnings"]))
    return FileEnd(source, sample_of(record["duration"]), num_windows, problems, warnings)


def run_of_rows(fields: Container[str]) -> RunInfo | None:
    """The settings of a run that follow from the fields of its rows; None without any."""
    settings = {"start-time": "rows"} if CLOCK_COLUMNS[0] in fields else {}
    if CHANNEL_COLUMN in fields:
        settings["channel"] = EACH
    return RunInfo(settings, ()) if settings else None


def channel_of(record: Mapping[str, Any]) -> int:
    """The channel that was scored, from 1; 0 for that of all."""
    channel = int(record.get(CHANNEL_COLUMN) or 0)
    if channel < 0:
        raise ValueError(f"{channel} is no channel")
    return channel


def _class_of(record: Mapping[str, Any]) -> tuple[int, str, str]:
    """Index, MID and name."""
    mid, name = str(record["mid"]), str(record["label"])
    if not (_can_be_written(mid) and _can_be_written(name)):
        raise ValueError(f"{name!r} is no name of a class")
    return _index(record["index"]), mid, name


def _can_be_written(text: str) -> bool:
    """Whether text is UTF-8, but for bytes that are not: JSON can hold halves of characters that no file can."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _index(text: str | float) -> int:
    try:
        index = int(text)
    except OverflowError as error:
        raise ValueError(f"{text} is no index of a class") from error
    if not 0 <= index <= _LARGEST_INDEX:
        raise ValueError(f"{text} is no index of a class")
    return index
