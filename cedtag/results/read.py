"""Results read back from the files that cedtag writes: csv, tsv, jsonl, json, and the journal of a run."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cedtag.errors import InputError, OutputError
from cedtag.inputs.start_time import timed_source
from cedtag.labels.table import audioset
from cedtag.records import SAMPLE_RATE_HZ, FileEnd, FileFailed, SoundEvent, Source, Tag, TagResult
from cedtag.run.journal import read_journal
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS
from cedtag.writers.run_info import SCHEMA, RunInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TextIO

    from cedtag.records import Result

FORMATS = ("csv", "tsv", "jsonl", "json", "journal")
_LONG = ("file", "start", "end", "rank", "index", "mid", "label", "score")
_EVENT = ("file", "start", "end", "index", "mid", "label", "peak", "mean")
_WHERE = ("file", "start", "end")


@dataclass(frozen=True, slots=True)
class _Row:
    """What one line says: an event, a window, or the tag of that rank (from 1) of a window."""

    line: int
    result: TagResult | SoundEvent
    rank: int = 0


@dataclass(frozen=True, slots=True)
class WrittenResults:
    """A file of results: its settings, where it holds any, and a function that reads the results from the start."""

    run: RunInfo | None
    results: Callable[[], Iterator[Result]]


def read_results(path: Path) -> tuple[RunInfo | None, Iterator[Result]]:
    """The settings, where the file holds any, and the results in a file, read while they are used.

    Times are cut to milliseconds. Only json and journals hold how a recording ended; elsewhere it ends with its last
    row. The format follows from the suffix, or from the contents where the suffix is none of a format. InputError for
    a file that is none of cedtag's, with the line.
    """
    written = open_results(path)
    return written.run, written.results()


def open_results(path: Path) -> WrittenResults:
    """The same, to be read any number of times: a document is parsed once, rows are read anew."""
    try:
        kind = path.suffix.lower().lstrip(".")
        if kind not in FORMATS:
            kind = _format_by_contents(path)
        if kind == "journal":
            return _read_journal(path)
        if kind == "json":
            return _read_document(path)
        with path.open("rb") as file:
            has_clock = b"abs_start" in file.readline(1 << 16)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error

    def results() -> Iterator[Result]:
        rows = _lines_of_json(path) if kind == "jsonl" else _table(path, "," if kind == "csv" else "\t")
        return _recordings(path, rows)

    return WrittenResults(RunInfo({"start-time": "rows"}, ()) if has_clock else None, results)


def _format_by_contents(path: Path) -> str:
    with path.open("rb") as file:
        head = file.readline(1 << 16)
    if head.startswith(b'{"journal"'):
        return "journal"
    if head.startswith(b"{"):
        return "json" if b'"schema"' in head or not head.rstrip().endswith(b"}") else "jsonl"
    if b"\t" in head or b"," in head:
        return "tsv" if b"\t" in head else "csv"
    raise InputError(f"{path}: these are no results that can be read back ({', '.join(FORMATS)})")


def _open_text(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _wrong(path: Path, line: int, what: object) -> InputError:
    return InputError(f"{path}: line {line}: {what}")


# --- rows into recordings


def _recordings(path: Path, rows: Iterator[_Row]) -> Iterator[Result]:
    seen: set[str] = set()
    for name, of_recording in groupby(rows, key=lambda row: row.result.source.name):
        yield from _recording(path, of_recording, again=name in seen)
        seen.add(name)


def _recording(path: Path, rows: Iterator[_Row], *, again: bool) -> Iterator[Result]:
    """Put the tags of a window together, count windows, and end where the last row does."""
    window: TagResult | None = None
    num_windows = stop = rank = 0
    source = None
    for row in rows:
        source = row.result.source
        stop = max(stop, row.result.stop)
        if again:
            raise _wrong(path, row.line, f"rows of {source.name} stand in two places; sort them by file and start")
        if isinstance(row.result, SoundEvent):
            yield row.result
            continue
        if window and row.rank > rank and (row.result.start, row.result.stop) == (window.start, window.stop):
            window = replace(window, tags=window.tags + row.result.tags)
        else:
            if window:
                if row.result.start < window.start:
                    raise _wrong(path, row.line, "this row is earlier than the one before; sort by file and start")
                yield window
            window = replace(row.result, index=num_windows)
            num_windows += 1
        rank = row.rank
    if window:
        yield window
    assert source is not None
    yield FileEnd(source, stop, num_windows)


@lru_cache(maxsize=1)
def _source(name: str) -> Source:
    relative = "/".join(part for part in name.split("/") if part not in ("", ".", ".."))
    return Source(name, name, relative, name.removesuffix(relative))


# --- fields


def _sample(text: str | float) -> int:
    seconds = float(text)
    if not 0 <= seconds < 1e9:
        raise ValueError(f"{text} is no time in seconds")
    return round(seconds * 1000) * (SAMPLE_RATE_HZ // 1000)


def _span(record: Mapping[str, Any]) -> tuple[int, int]:
    start, stop = _sample(record["start"]), _sample(record["end"])
    if stop < start:
        raise ValueError(f"it ends ({record['end']}) before it starts ({record['start']})")
    return start, stop


def _score(text: str | float) -> float:
    score = float(text)
    if not 0 <= score <= 1:
        raise ValueError(f"{text} is no score from 0 to 1")
    return score


def _source_of(record: Mapping[str, Any]) -> Source:
    """The recording of a row, with the time at which it began if the row tells its own."""
    source = _source(record["file"])
    if not record.get(CLOCK_COLUMNS[0]):
        return source
    began = datetime.fromisoformat(record[CLOCK_COLUMNS[0]]) - timedelta(milliseconds=_sample(record["start"]) // 16)
    return timed_source(source, began.isoformat())


def _tag(record: Mapping[str, Any]) -> Tag:
    return Tag(int(record["index"]), str(record["mid"]), str(record["label"]), _score(record["score"]))


def _event(source: Source, record: Mapping[str, Any]) -> SoundEvent:
    start, stop = _span(record)
    peak, mean = _score(record["peak"]), _score(record["mean"])
    return SoundEvent(source, start, stop, int(record["index"]), str(record["mid"]), str(record["label"]), peak, mean)


def _window(source: Source, index: int, record: Mapping[str, Any]) -> TagResult:
    return TagResult(source, index, *_span(record), tuple(map(_tag, record["tags"])))


# --- csv and tsv


def _table(path: Path, delimiter: str) -> Iterator[_Row]:
    with _open_text(path) as text:
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            header = next(rows, [])
            parse = _row_parser(path, header)
            for row in rows:
                if len(row) != len(header):
                    raise ValueError(f"{len(row)} fields where the header has {len(header)}")
                yield parse(rows.line_num, row)
        except (ValueError, csv.Error) as error:
            raise _wrong(path, rows.line_num, error) from error


def _row_parser(path: Path, header: Sequence[str]) -> Callable[[int, Sequence[str]], _Row]:
    """The function that reads the rows under this header."""
    if set(_EVENT) <= set(header):
        return lambda line, row: _event_row(line, dict(zip(header, row, strict=True)))
    if set(_LONG) <= set(header):
        return lambda line, row: _tag_row(line, dict(zip(header, row, strict=True)))
    if tuple(header[:3]) == _WHERE:
        first = 5 if tuple(header[3:5]) == CLOCK_COLUMNS else 3
        columns = list(enumerate(_columns(header[first:]), first))
        return lambda line, row: _wide_row(line, row, columns)
    raise InputError(f"{path}: line 1: this is no header of cedtag's rows ({', '.join(_LONG)})")


def _event_row(line: int, record: Mapping[str, str]) -> _Row:
    return _Row(line, _event(_source_of(record), record))


def _tag_row(line: int, record: Mapping[str, str]) -> _Row:
    return _Row(line, TagResult(_source_of(record), 0, *_span(record), (_tag(record),)), int(record["rank"]))


def _wide_row(line: int, row: Sequence[str], columns: Sequence[tuple[int, Tag]]) -> _Row:
    tags = [replace(tag, score=_score(row[place])) for place, tag in columns if row[place]]
    tags.sort(key=lambda tag: (-tag.score, tag.index))
    record = dict(zip(_WHERE + CLOCK_COLUMNS if columns[0][0] == 5 else _WHERE, row, strict=False))
    return _Row(line, TagResult(_source_of(record), 0, *_span(record), tuple(tags)))


def _columns(names: Sequence[str]) -> list[Tag]:
    """A tag for each column: AudioSet's of that name, or one that is counted from the left."""
    known = {label.name: label for label in audioset()}
    if not all(name in known for name in names):
        return [Tag(place, "", name, 0) for place, name in enumerate(names)]
    return [Tag(known[name].index, known[name].mid, name, 0) for name in names]


# --- json


def _lines_of_json(path: Path) -> Iterator[_Row]:
    with _open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                source = _source_of(record)
                yield _Row(number, _event(source, record) if "peak" in record else _window(source, 0, record))
            except (ValueError, TypeError, AttributeError) as error:
                raise _wrong(path, number, error) from error
            except KeyError as error:
                raise _wrong(path, number, f"{error} is missing") from error


def _read_document(path: Path) -> WrittenResults:
    """A whole JSON document; jsonl is what can be read in pieces."""
    try:
        document = json.loads(path.read_bytes())
        if document["schema"] != SCHEMA:
            raise InputError(f"{path}: its schema is {document['schema']!r}, not {SCHEMA!r}; use another version")
        results = [result for record in document["recordings"] for result in _recording_of_json(record)]
        return WrittenResults(RunInfo(document["settings"], ()), lambda: iter(results))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: {error}") from error
    except KeyError as error:
        raise InputError(f"{path}: {error} is missing") from error


def _recording_of_json(record: Mapping[str, Any]) -> Iterator[Result]:
    source = _source(record["file"])
    if record["status"] == "failed":
        yield FileFailed(source, record["stage"], record["error"])
        return
    windows, events = record.get("windows", ()), record.get("events", ())
    if first := (*windows, *events)[:1]:
        source = _source_of({"file": record["file"], **first[0]})
    for index, window in enumerate(windows):
        yield _window(source, index, window)
    for event in events:
        yield _event(source, event)
    problems, warnings = tuple(record["problems"]), tuple(record["warnings"])
    yield FileEnd(source, _sample(record["duration"]), len(windows), problems, warnings)


# --- the journal


def _read_journal(path: Path) -> WrittenResults:
    try:
        run, results = read_journal(path)
    except OutputError as error:
        raise InputError(str(error)) from error
    if "layout" in run.settings:  # is a setting only where rows went elsewhere
        raise InputError(f"{path}: this journal holds no rows; name the files of results beside it")
    return WrittenResults(run, results)
