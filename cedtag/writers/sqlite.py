"""SQLite: the rows, the recordings and the settings as tables of one database."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cedtag.records import FileEnd, FileFailed, SoundEvent, TagResult, seconds
from cedtag.writers import storable
from cedtag.writers.channel_column import shows_channel
from cedtag.writers.clock_columns import clock_times, shows_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo

TABLES = """
CREATE TABLE run (name TEXT, value TEXT);
CREATE TABLE recordings (file TEXT, status TEXT, duration REAL, problems TEXT, warnings TEXT, stage TEXT, error TEXT);
CREATE TABLE tags ({where}, rank INTEGER, "index" INTEGER, mid TEXT, label TEXT, score REAL);
CREATE TABLE events ({where}, "index" INTEGER, mid TEXT, label TEXT, peak REAL, mean REAL);
"""
# Made when all rows are there. In the views no name of a column needs quotes.
INDEXES_AND_VIEWS = """
CREATE INDEX tags_of_file ON tags (file, start);
CREATE INDEX tags_of_label ON tags (label, score);
CREATE INDEX events_of_file ON events (file, start);
CREATE INDEX events_of_label ON events (label, peak);
CREATE VIEW tag_rows AS SELECT {where}, rank, "index" AS class_index, mid, label, score FROM tags;
CREATE VIEW event_rows AS SELECT {where}, "index" AS class_index, mid, label, peak, mean FROM events;
"""
WHERE = 'file TEXT, start REAL, "end" REAL'
CHANNEL = "channel INTEGER"
CLOCK = "abs_start TEXT, abs_end TEXT"


@contextmanager
def _as_system_errors() -> Iterator[None]:
    """Raise SQLite's errors of the disk as the error that other files raise."""
    try:
        yield
    except sqlite3.OperationalError as error:
        is_full = "full" in str(error)
        raise OSError(*((errno.ENOSPC, os.strerror(errno.ENOSPC)) if is_full else (errno.EIO, str(error)))) from error


class SqliteWriter:
    """Tables `run`, `recordings`, `tags` and `events`, views of the last two; lists and settings are JSON texts.

    SQLite wants a file of its own, which is copied to `out` at the end. Bytes of names that are not UTF-8 are written
    as `\\udcff`, because no reader of databases takes them.
    """

    needs_ends = needs_classes = has_channels = skips_silence = True
    is_binary = True  # nothing for a terminal

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out = out
        name = getattr(out, "name", None)
        beside = Path(name).parent if isinstance(name, str) else None
        with tempfile.NamedTemporaryFile(dir=beside, prefix=".", suffix=".sqlite", delete=False) as own:
            path = Path(own.name)
        self._has_clock, self._has_channel = shows_clock(run), shows_channel(run)
        where = (WHERE, *((CLOCK,) if self._has_clock else ()), *((CHANNEL,) if self._has_channel else ()))
        tables = TABLES.format(where=", ".join(where))
        columns = [
            "file",
            "start AS start_s",
            '"end" AS end_s',
            *(word.split()[0] for one in where[1:] for word in one.split(", ")),
        ]
        self._indexes_and_views = INDEXES_AND_VIEWS.format(where=", ".join(columns))
        # Without a journal SQLite needs no second file, and the name can go at once: a kill leaves nothing behind.
        try:
            with _as_system_errors():
                self._database = sqlite3.connect(path, isolation_level=None)
                self._database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {tables} BEGIN;")
            self._bytes = path.open("rb")
        finally:
            path.unlink()
        settings = [(key, json.dumps(value)) for key, value in run.to_dict().items()]
        with _as_system_errors():
            self._database.executemany("INSERT INTO run VALUES (?, ?)", settings)

    def write(self, result: Result) -> None:
        with _as_system_errors():
            self._write(result)

    def _write(self, result: Result) -> None:
        file = storable(result.source.name)
        if not isinstance(result, TagResult | SoundEvent):
            self._write_outcome(file, result)
            return
        clock = (clock_times(result) or (None, None)) if self._has_clock else ()
        channel = (result.channel,) if self._has_channel else ()
        where = (file, seconds(result.start), seconds(result.stop), *clock, *channel)
        if isinstance(result, SoundEvent):
            self._insert(
                "events", (*where, result.index, storable(result.mid), storable(result.label), result.peak, result.mean)
            )
            return
        for rank, tag in enumerate(result.tags, 1):
            self._insert("tags", (*where, rank, tag.index, storable(tag.mid), storable(tag.label), tag.score))

    def close(self) -> None:
        with _as_system_errors():
            self._database.execute("COMMIT")
            self._database.executescript(self._indexes_and_views)
            self._database.close()
        with self._bytes:
            shutil.copyfileobj(self._bytes, self._out, 1 << 20)

    def _insert(self, table: str, row: tuple[object, ...]) -> None:
        self._database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)

    def _write_outcome(self, file: str, result: FileEnd | FileFailed) -> None:
        outcome = dict.fromkeys(("duration", "problems", "warnings", "stage", "error")) | result.to_dict()
        if isinstance(result, FileEnd):
            outcome |= {"problems": json.dumps(result.problems), "warnings": json.dumps(result.warnings)}
        else:
            outcome["error"] = storable(result.error)
        row = "(:file, :status, :duration, :problems, :warnings, :stage, :error)"
        self._database.execute(f"INSERT INTO recordings VALUES {row}", {**outcome, "file": file})
