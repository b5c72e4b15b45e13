"""The lines of a journal: what they say, how they are sealed, and how they are read back.

One line of JSON each: a header with the settings; for every window `{"row": [index, start, stop, tags]}`, with the
channel at its end where each is scored by itself; after the windows of a recording `{"end": {...}}` with how it ended,
which commits them; and when a run has come to its end, `{"made": {...}}` with the files that were made. An `end`
carries the CRC-32 of its rows and itself, which shows damage.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from zlib import crc32

from cedtag.errors import OutputError
from cedtag.labels.table import Label
from cedtag.records import STALE, FileEnd, FileFailed, Source, Tag, TagResult, TimedSource
from cedtag.run.journal.index import Done
from cedtag.run.journal.shapes import is_end, is_header, is_made, is_row
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cedtag.records import Result

FORMAT = "cedtag-journal/1"  # to be raised, too, when the same settings come to give other results
_HEADER, _ROW, _END, _MADE, _SEAL = b'{"journal":', b'{"row":', b'{"end":', b'{"made":', b',"crc":'


@dataclass(slots=True)
class Contents:
    """What a journal holds: its header, what is done, where that ends in the file, and its `made` lines."""

    header: dict[str, Any] | None = None
    done: Done = field(default_factory=Done)
    end: int = 0
    made: list[dict[str, Any]] = field(default_factory=list)
    made_last: bool = False  # nothing was committed since files were made
    since_made: int = 0  # how many recordings were

    @property
    def run(self) -> RunInfo:
        assert self.header is not None
        return RunInfo(self.header["settings"], _labels_from_json(self.header["labels"]))


def header_line(run: RunInfo, since_ns: int) -> bytes:
    """The first line. Files that are older than `since_ns` were there before the journal."""
    head = {"journal": FORMAT, "since_ns": since_ns} | run.to_dict() | {"labels": _labels_to_json(run.labels)}
    return _line(head)


def row_line(result: TagResult) -> bytes:
    tags = [[tag.index, tag.mid, tag.label, tag.score] for tag in result.tags]
    channel = [result.channel] if result.channel else []
    return _line({"row": [result.index, result.start, result.stop, tags, *channel]})


def end_line(
    result: FileEnd | FileFailed,
    rows_at: int,
    rows_crc: int,
    was: str | None = None,
    stamps: Sequence[tuple[int, int]] | None = None,
) -> bytes:
    """The line that commits a recording whose rows begin at byte `rows_at` and have that CRC-32.

    The line replaces that of the place where the recording `was`, if it was in another. `stamps` are the size and
    modification time of the files that were made of it.
    """
    moved = {} if was is None else {"was": was}
    files = {} if stamps is None else {"files": stamps}
    return _sealed(_outcome(result) | moved | files | {"rows_at": rows_at}, rows_crc)


def stale_end_line(before: dict[str, Any], failed: FileFailed) -> bytes | None:
    """The line that commits the rows of an earlier `end` again, as stale, for the reason that reading failed now.

    None where `before` is that line. The time of the file in it is none that a file has, so that the recording is
    tried again whenever it is found.
    """
    problem = f"{STALE} ({failed.error})"
    problems = [text for text in before["problems"] if not text.startswith(STALE)]
    if before["problems"] == [*problems, problem]:
        return None
    return _sealed(before | {"mtime_ns": -1, "status": "partial", "problems": [*problems, problem]}, 0)


def _sealed(end: dict[str, Any], rows_crc: int) -> bytes:
    body = _line({"end": end})[:-2]
    return b"%b%b%d}\n" % (body, _SEAL, crc32(body, rows_crc))


def made_line(made: dict[str, Any]) -> bytes:
    return _line({"made": made})


def read_contents(path: Path, *, by_relative: bool = False) -> Contents:
    """Everything but the rows. What stands after the last line that commits something was torn and does not count.

    OutputError when the file is no journal, or a line before that is damaged.
    """
    check_is_journal(path)
    contents = Contents(done=Done(by_relative=by_relative))
    position = rows_crc = 0
    damaged: int | None = None
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            at, position = position, position + len(line)
            if number == 1:
                contents.header = _header(path, line)
                contents.end = position if contents.header else 0
                continue
            if line.startswith(_ROW):
                rows_crc = crc32(line, rows_crc)
                continue
            record = _committed(line, rows_crc)
            rows_crc = 0
            if record is None:
                damaged = damaged or number
                continue
            if damaged:
                raise OutputError(
                    f"{path}: line {damaged} is damaged; restore the file, keep what is before it and do the rest "
                    f"again (head -n {damaged - 1}), or use `overwrite` to start over"
                )
            contents.end = position
            contents.made_last = line.startswith(_MADE)
            contents.since_made = 0 if contents.made_last else contents.since_made + 1
            if not _take(contents, record, at):
                raise _unknown(path, f"line {number} ")
    contents.done.sort()
    return contents


def _take(contents: Contents, record: dict[str, Any], at: int) -> bool:
    """Enter what a line at byte `at` commits; whether it holds what cedtag writes."""
    if contents.made_last:
        contents.made.append(record.get("made", {}))
        return is_made(record.get("made"))
    end = record.get("end")
    if not is_end(end, at):
        return False
    assert isinstance(end, dict)
    if end.get("stage") != "output":  # that says nothing about the recording which has the place
        contents.done.add(
            source_of(end), end["status"], at, end.get("was"), cause=end.get("cause", ""), stage=end.get("stage", "")
        )
    return True


def results_at(lines: BinaryIO, offset: int) -> Iterator[Result]:
    """The results of the recording that the line at a byte commits."""
    end = end_at(lines, offset)
    source = source_of(end)
    lines.seek(end["rows_at"])
    while (line := lines.readline()).startswith(_ROW):
        row: Any = (_parse(line) or {}).get("row")
        if not is_row(row):
            raise _unknown(lines.name, f"a window of {source.name} ")
        index, start, stop, tags, *channel = row
        yield TagResult(source, index, start, stop, tuple(Tag(*tag) for tag in tags), *channel)
    if end["status"] == "failed":
        yield FileFailed(source, end["stage"], end["error"], end.get("traceback", ""))
    else:
        said = tuple(end["problems"]), tuple(end["warnings"]), end.get("cause", ""), end.get("traceback", "")
        yield FileEnd(source, end["samples"], end["windows"], *said)


def source_at(lines: BinaryIO, offset: int) -> Source:
    """The recording that the line at a byte commits."""
    return source_of(end_at(lines, offset))


def end_at(lines: BinaryIO, offset: int) -> dict[str, Any]:
    """The outcome in the line at a byte."""
    lines.seek(offset)
    return end_of(lines.readline(), offset, lines.name)


def end_of(line: bytes, at: int, path: Path | str) -> dict[str, Any]:
    """The outcome in a line that begins at byte `at` of a journal."""
    end: Any = (_parse(line) or {}).get("end")
    if not is_end(end, at):
        raise _unknown(path, "")
    return cast("dict[str, Any]", end)


def _unknown(path: Path | str, where: str) -> OutputError:
    """The error for what is whole, and yet not what this version writes; `where` ends in a space."""
    return OutputError(
        f"{path}: {where}does not hold what cedtag writes there; restore the file, or use `overwrite` to start over"
    )


def check_is_journal(path: Path) -> None:
    """OutputError when there is something else in a file."""
    with path.open("rb") as lines:
        if not _HEADER.startswith(lines.read(len(_HEADER))):
            raise OutputError(f"{path}: line 1 is damaged, or this is no journal of cedtag; move the file away")


def _header(path: Path, line: bytes) -> dict[str, Any] | None:
    """The header; None when it was torn."""
    if not line.endswith(b"\n"):
        return None
    header = _parse(line)
    if header is None:
        raise OutputError(f"{path}: line 1 is damaged; restore the file, or use `overwrite` to start over")
    if header.get("journal") != FORMAT:
        raise OutputError(f"{path}: another version of cedtag made this journal; use that one, or another `to`")
    if not is_header(header):
        raise _unknown(path, "line 1 ")
    return header


def _committed(line: bytes, rows_crc: int) -> dict[str, Any] | None:
    """A whole line that commits something; None when it is torn or damaged."""
    if line.startswith(_END):
        body, _, seal = line.rpartition(_SEAL)
        if seal != b"%d}\n" % crc32(body, rows_crc):
            return None
    elif not (line.startswith(_MADE) and line.endswith(b"\n")):
        return None
    return _parse(line)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def source_of(end: dict[str, Any]) -> Source:
    """The recording of an outcome."""
    fields = (end["file"], end["file"], end["path"], end["root"], end["size"], end["mtime_ns"])
    at = end.get("at", "")  # older journals have none
    return TimedSource(*fields, end["began"], at=at) if "began" in end else Source(*fields, at=at)


def _outcome(result: FileEnd | FileFailed) -> dict[str, Any]:
    source = result.source
    recording = {
        "file": source.name,
        "path": source.relative,
        "root": source.root,
        "size": source.size,
        "mtime_ns": source.mtime_ns,
    }
    if source.at:
        recording["at"] = source.at
    if isinstance(source, TimedSource):
        recording["began"] = source.began
    if result.traceback:
        recording["traceback"] = result.traceback
    if isinstance(result, FileFailed):
        return recording | {"status": "failed", "stage": result.stage, "error": result.error}
    cause = {"cause": result.cause} if result.cause else {}
    return recording | {
        "status": result.status,
        **cause,
        "samples": result.num_samples,
        "windows": result.num_windows,
        "problems": result.problems,
        "warnings": result.warnings,
    }


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _labels_to_json(labels: tuple[Label, ...]) -> list[list[Any]]:
    return [[label.index, label.mid, label.name] for label in labels]


def _labels_from_json(rows: list[list[Any]]) -> tuple[Label, ...]:
    return tuple(Label(*row) for row in rows)
