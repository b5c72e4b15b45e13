"""Results in csv and tsv."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.labels.table import audioset
from cedtag.records import Tag, TagResult
from cedtag.results.beside import journal_of
from cedtag.results.fields import channel_of, event_of, run_of_rows, score_of, source_of, span_of, tag_of, wrong_line
from cedtag.results.rows import Row, by_recording
from cedtag.results.written import WrittenResults
from cedtag.writers.channel_column import COLUMN as CHANNEL_COLUMN
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cedtag.labels.table import Label
    from cedtag.records import Result

_LONG = ("file", "start", "end", "rank", "index", "mid", "label", "score")
_EVENT = ("file", "start", "end", "index", "mid", "label", "peak", "mean")
_WHERE = ("file", "start", "end")
_READ = "csv and tsv (long or wide), jsonl, json and journals are read"


def read_table(path: Path, delimiter: str) -> WrittenResults:
    """A table. What it does not hold comes from the journal beside it, where there is one."""
    header = _header(path, delimiter)
    journal = journal_of(path)
    run = journal.run if journal else run_of_rows(header)
    labels = journal.run.labels if journal else ()

    def results() -> Iterator[Result]:
        recordings = by_recording(path, _rows(path, delimiter, labels))
        if journal is not None:
            yield from journal.complete(path, _names(path, delimiter), recordings)
            return
        for _, rows in recordings:
            yield from rows

    is_long = set(_LONG) <= set(header)
    has_classes = bool(labels) or is_long or set(_EVENT) <= set(header) or _are_audioset(_class_names(header))
    has_windows = not is_long or (journal is not None and journal.has_windows)
    return WrittenResults(path, run, results, journal is not None, has_windows, has_classes)


def _class_names(header: Sequence[str]) -> Sequence[str]:
    """The columns of a wide table that are classes."""
    names = header[5:] if tuple(header[3:5]) == CLOCK_COLUMNS else header[3:]
    return names[1:] if names and names[0] == CHANNEL_COLUMN else names


def _header(path: Path, delimiter: str) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        try:
            header = next(csv.reader(text, delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            raise wrong_line(path, 1, error) from error
    _row_parser(path, header, ())
    return header


def _names(path: Path, delimiter: str) -> Iterator[str]:
    """The recording of each run of rows."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        try:
            column = next(rows, []).index("file")
            for name, _ in groupby(rows, key=lambda row: row[column]):
                yield name
        except (ValueError, IndexError, csv.Error) as error:
            raise wrong_line(path, rows.line_num, error) from error


def _rows(path: Path, delimiter: str, labels: Sequence[Label]) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            header = next(rows, [])
            parse = _row_parser(path, header, labels)
            for row in rows:
                if len(row) != len(header):
                    raise ValueError(f"{len(row)} fields where the header has {len(header)}")
                yield parse(rows.line_num, row)
        except (ValueError, OverflowError, csv.Error) as error:
            raise wrong_line(path, rows.line_num, error) from error


def _row_parser(path: Path, header: Sequence[str], labels: Sequence[Label]) -> Callable[[int, Sequence[str]], Row]:
    """The function that reads the rows under this header."""
    if set(_EVENT) <= set(header):
        return lambda line, row: _event_row(line, dict(zip(header, row, strict=True)))
    if set(_LONG) <= set(header):
        return lambda line, row: _tag_row(line, dict(zip(header, row, strict=True)))
    if tuple(header[:3]) == _WHERE:
        first = len(header) - len(_class_names(header))
        columns = list(enumerate(_columns(path, header[first:], labels), first))
        return lambda line, row: _wide_row(line, dict(zip(header[:first], row, strict=False)), row, columns)
    if header[:2] == ["file", "status"]:
        raise InputError(f"{path}: holds a row per recording (--layout file), which cannot be read back; {_READ}")
    raise InputError(f"{path}: line 1: this is no header of cedtag's rows ({', '.join(_LONG)}); {_READ}")


def _columns(path: Path, names: Sequence[str], labels: Sequence[Label]) -> list[Tag]:
    """A tag for each column of a wide table; without a list of classes they are counted from the left."""
    if not names:
        raise wrong_line(path, 1, "there is no class in this header")
    if labels:
        known = {label.name: label for label in labels}
        if unknown := [name for name in names if name not in known]:
            raise wrong_line(path, 1, f"{unknown[0]!r} is no class of the run in the journal beside this table")
        return [Tag(known[name].index, known[name].mid, name, 0) for name in names]
    if _are_audioset(names):
        return [Tag(one.index, one.mid, one.name, 0) for one in audioset()]
    return [Tag(place, "", name, 0) for place, name in enumerate(names)]


def _are_audioset(names: Sequence[str]) -> bool:
    return list(names) == [one.name for one in audioset()]


def _event_row(line: int, record: dict[str, str]) -> Row:
    return Row(line, event_of(source_of(record), record))


def _tag_row(line: int, record: dict[str, str]) -> Row:
    return Row(
        line,
        TagResult(source_of(record), 0, *span_of(record), (tag_of(record),), channel_of(record)),
        int(record["rank"]),
    )


def _wide_row(line: int, record: dict[str, str], row: Sequence[str], columns: Sequence[tuple[int, Tag]]) -> Row:
    tags = [replace(tag, score=score_of(row[place])) for place, tag in columns if row[place]]
    tags.sort(key=lambda tag: (-tag.score, tag.index))
    return Row(line, TagResult(source_of(record), 0, *span_of(record), tuple(tags), channel_of(record)))
