"""Results in jsonl and json."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cedtag.errors import InputError
from cedtag.records import TagResult
from cedtag.results.fields import event_of, outcome_of, run_of_rows, source_named, source_of, window_of, wrong_line
from cedtag.results.rows import Row, by_recording
from cedtag.results.written import WrittenResults
from cedtag.writers.per_recording import LAYOUT
from cedtag.writers.run_info import SCHEMA, RunInfo, classes_from_json

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

    from cedtag.records import FileEnd, FileFailed, Result, Source

# What damaged or foreign JSON raises on its way to records.
_WRONG = (ValueError, TypeError, AttributeError, RecursionError, OverflowError)


def read_document(path: Path) -> WrittenResults:
    """A whole JSON document; jsonl is what can be read in pieces."""
    try:
        document = json.loads(path.read_bytes())
        if not isinstance(document, dict):
            raise InputError("this is no document of results that cedtag wrote")
        run = _run_of(document)
        results = [result for record in document["recordings"] for result in _recording(record)]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except _WRONG as error:
        raise InputError(f"{path}: {error}") from error
    except KeyError as error:
        raise InputError(f"{path}: {error} is missing") from error
    return WrittenResults(path, run, lambda: iter(results))


def read_lines(path: Path) -> WrittenResults:
    """JSON lines. Those without a head, as filters may leave them, hold neither settings nor outcomes."""
    with path.open("rb") as file:
        first = file.readline(1 << 24)
    if b'"schema"' not in first:
        return WrittenResults(path, run_of_rows(_fields(first)), lambda: _bare(path), has_ends=False)
    try:
        run = _run_of(json.loads(first))
    except (InputError, *_WRONG) as error:
        raise wrong_line(path, 1, error) from error
    return WrittenResults(path, run, lambda: _with_outcomes(path))


def _fields(line: bytes) -> Container[str]:
    try:
        row = json.loads(line)
    except _WRONG:  # reported when the rows are read
        return ()
    return row if isinstance(row, dict) else ()


def _run_of(head: Mapping[str, Any]) -> RunInfo:
    if head["schema"] != SCHEMA:
        raise InputError(f"its schema is {head['schema']!r}, not {SCHEMA!r}; use another version")
    if head.get("layout") == LAYOUT:
        raise InputError("holds one row per recording (`layout` file), of which no windows or events can be made again")
    if not isinstance(head["settings"], dict):
        raise InputError("its settings are no object")
    return RunInfo(head["settings"], classes_from_json(head.get("classes", ())))


def _recording(record: Mapping[str, Any]) -> Iterator[Result]:
    source = source_named(record["file"])
    windows, events = record.get("windows", ()), record.get("events", ())
    if first := (*windows, *events)[:1]:
        source = source_of({"file": record["file"], **first[0]})
    for index, window in enumerate(windows):
        yield window_of(source, index, window)
    for event in events:
        yield event_of(source, event)
    yield outcome_of(source, len(windows), record)


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The object of each line, with the number of the line."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    record = json.loads(line)
                except _WRONG as error:
                    raise wrong_line(path, number, error) from error
                if not isinstance(record, dict):
                    raise wrong_line(path, number, "is no JSON object")
                yield number, record


def _row(path: Path, number: int, record: Mapping[str, Any]) -> Row:
    try:
        source = source_of(record)
        return Row(number, event_of(source, record) if "peak" in record else window_of(source, 0, record))
    except _WRONG as error:
        raise wrong_line(path, number, error) from error
    except KeyError as error:
        raise wrong_line(path, number, f"{error} is missing") from error


def _bare(path: Path) -> Iterator[Result]:
    rows = (_row(path, number, record) for number, record in _objects(path) if "status" not in record)
    for _, results in by_recording(path, rows):
        yield from results


def _with_outcomes(path: Path) -> Iterator[Result]:
    """Windows and events, and after those of a recording its outcome, without which it may have been cut off."""
    head: dict[str, Any] | None = None
    open_source: Source | None = None
    num_windows = 0
    for number, record in _objects(path):
        if "schema" in record:
            head = head or record
            if any(head.get(part) != record.get(part) for part in ("schema", "settings", "classes", "events")):
                raise wrong_line(path, number, "results of another run begin here; convert them one by one")
            continue
        if open_source is not None and record.get("file") != open_source.name:
            raise wrong_line(path, number, f"the outcome of {open_source.name} is missing before this line")
        if "status" in record:
            yield _outcome(path, number, record, open_source, num_windows)
            open_source, num_windows = None, 0
            continue
        result = _row(path, number, record).result
        open_source = open_source or result.source
        if isinstance(result, TagResult):
            yield replace(result, source=open_source, index=num_windows)
            num_windows += 1
        else:
            yield replace(result, source=open_source)
    if open_source is not None:
        raise InputError(f"{path}: the outcome of {open_source.name} is missing at its end; was the run stopped?")


def _outcome(
    path: Path, number: int, record: Mapping[str, Any], source: Source | None, num_windows: int
) -> FileEnd | FileFailed:
    try:
        return outcome_of(source or source_named(record["file"]), num_windows, record)
    except _WRONG as error:
        raise wrong_line(path, number, error) from error
    except KeyError as error:
        raise wrong_line(path, number, f"{error} is missing") from error
