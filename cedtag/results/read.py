"""Results read back from what cedtag writes: csv, tsv, jsonl, json, the journal of a run, and stores."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cedtag.errors import InputError, OutputError
from cedtag.results.json_files import read_document, read_lines
from cedtag.results.stores import read_store
from cedtag.results.tables import read_table
from cedtag.results.written import WrittenResults
from cedtag.run.journal.open import read_journal
from cedtag.store import is_score_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cedtag.events.settings import EventSettings
    from cedtag.labels.tag_filter import TagFilter
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo

FORMATS = ("csv", "tsv", "jsonl", "json", "journal")


def read_results(path: Path) -> tuple[RunInfo | None, Iterator[Result]]:
    """The settings and classes, where the file holds them, and its results, read while they are used.

    Times are cut to milliseconds. A FileEnd with length and outcome comes where the file holds it: in json, jsonl and
    journals, and in csv and tsv with the journal of their run beside them. Elsewhere none comes, and windows without
    tags are missing. The format follows from the suffix, or from the contents where the suffix is none of a format.
    Of a store come the rows of `cedtag tag`, with its defaults.
    InputError for a file that is none of cedtag's, with the line.
    """
    written = open_results(path)
    return written.run, written.results()


def open_results(path: Path, tags: TagFilter | None = None, events: EventSettings | None = None) -> WrittenResults:
    """The same with the facts that the file holds, to be read any number of times.

    `tags`, or `events` for which rows are wanted, are asked of a store; other files hold what their run has chosen.
    """
    try:
        if is_score_store(path):
            return read_store(path, tags, events)
        kind = path.suffix.lower().lstrip(".")
        if kind not in FORMATS:
            kind = _format_by_contents(path)
        if kind == "journal":
            return _read_journal(path)
        if kind == "json":
            return read_document(path)
        return read_lines(path) if kind == "jsonl" else read_table(path, "," if kind == "csv" else "\t")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def result_files(path: Path) -> list[Path]:
    """The files of results at a path: itself, or those of a folder with one for each recording."""
    if is_score_store(path) or not os.path.isdir(path):  # noqa: PTH112 -- Path.is_dir raises an error for a name that is too long
        return [path]
    suffixes = {f".{name}" for name in FORMATS if name != "journal"}
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
    if not files:
        raise InputError(f"{path}: holds no results that can be read back ({', '.join(FORMATS)})")
    return files


def _format_by_contents(path: Path) -> str:
    with path.open("rb") as file:
        head = file.readline(1 << 24)
    if head.startswith(b'{"journal"'):
        return "journal"
    if head.startswith(b"{"):
        return "jsonl" if head.rstrip().endswith(b"}") and b'"recordings"' not in head else "json"
    if (b"\t" in head or b"," in head) and b"\0" not in head:
        return "tsv" if b"\t" in head else "csv"
    raise InputError(f"{path}: these are no results that can be read back ({', '.join(FORMATS)})")


def _read_journal(path: Path) -> WrittenResults:
    try:
        run, results = read_journal(path)
    except OutputError as error:
        raise InputError(str(error)) from error
    if "layout" in run.settings:  # is a setting only where rows went elsewhere
        raise InputError(f"{path}: this journal holds no rows; name the files of results beside it")
    return WrittenResults(path, run, results)
