"""What is already done: an append-only file from which a killed run goes on and every output is made.

One line of JSON each: a header with the settings; for every window `{"row": [index, start, stop, tags]}`; after the
windows of a recording `{"end": {...}}` with how it ended, which commits them. Whatever stands after the last
`end` was torn by a kill and is cut off. Lines are only ever appended, so what is committed stays.
"""

from __future__ import annotations

import json
import os
import time
from array import array
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

from cedtag.errors import OutputError
from cedtag.records import AlreadyDone, FileEnd, FileFailed, Source, Tag, TagResult
from cedtag.run import Run, differences, labels_from_json, labels_to_json

try:
    import fcntl
except ImportError:  # not a POSIX system: two runs on one output are not noticed
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cedtag.pipeline import Listed
    from cedtag.sinks import Result

FORMAT = "cedtag-journal/1"
SYNC_EVERY = 100  # recordings, or
SYNC_AFTER_S = 5.0  # seconds: what a power cut can cost
_ROW, _END = b'{"row":', b'{"end":'


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording that is done: its size and time when it was, where its rows begin, and its status."""

    size: int
    mtime_ns: int
    offset: int
    status: str


class Journal:
    """The journal of one output, locked while open. Made by `open_journal`."""

    def __init__(self, path: Path, descriptor: int, end: int, done: dict[str, Entry]) -> None:
        self.path = path
        self._descriptor = descriptor
        self._end = end  # of what is committed
        self._lines: list[bytes] = []
        self._earlier = done
        self._kept: set[str] = set()
        self._order = array("q")  # where the rows of this run's recordings begin, in the order they came
        self._unsynced = 0
        self._synced_at = time.monotonic()

    def find(self, source: Source) -> Entry | None:
        """What an earlier run did with this recording, unless the file has changed since."""
        entry = self._earlier.get(source.name)
        if entry is None or (entry.size, entry.mtime_ns) != (source.size, source.mtime_ns):
            return None
        return entry

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool = False) -> Iterator[Listed]:
        """Pass on what is to be done, and `AlreadyDone` in the place of what is done."""
        for item in sources:
            entry = self.find(item) if isinstance(item, Source) else None
            if entry is None or (retry_failed and entry.status == "failed"):
                yield item
            else:
                yield AlreadyDone(item, entry.status)  # type: ignore[arg-type]

    def keep(self, source: Source) -> None:
        """Let what an earlier run did with a recording stand at this place of the results."""
        self._order.append(self._earlier[source.name].offset)
        self._kept.add(source.name)

    def add(self, result: Result) -> None:
        """Write down one window, or the end of a recording with which its windows count."""
        if isinstance(result, TagResult):
            tags = [[tag.index, tag.mid, tag.label, tag.score] for tag in result.tags]
            self._lines.append(_line({"row": [result.index, result.start, result.stop, tags]}))
            if len(self._lines) >= 1000:
                self._flush()
            return
        self._lines.append(_line({"end": _outcome(result) | {"offset": self._end}}))
        self._order.append(self._end)
        self._kept.add(result.source.name)
        self._flush()
        self._end = os.lseek(self._descriptor, 0, os.SEEK_END)
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY or time.monotonic() - self._synced_at >= SYNC_AFTER_S:
            self.sync()

    def sync(self) -> None:
        """Put what is committed on the disk."""
        os.fsync(self._descriptor)
        self._unsynced = 0
        self._synced_at = time.monotonic()

    def results(self) -> Iterator[Result]:
        """Every committed result: first of recordings that are no longer found, then in the order of this run."""
        gone = (entry.offset for name, entry in self._earlier.items() if name not in self._kept)
        with self.path.open("rb") as lines:
            for offset in chain(gone, self._order):
                yield from _recording_at(self.path, lines, offset)

    @property
    def num_gone(self) -> int:
        """How many recordings of earlier runs this run did not meet."""
        return sum(name not in self._kept for name in self._earlier)

    def close(self) -> None:
        """Cut off what is not committed, and unlock."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, self._end)
            self.sync()
            os.close(self._descriptor)
            self._descriptor = -1

    def _flush(self) -> None:
        data = b"".join(self._lines)
        self._lines.clear()
        written = os.write(self._descriptor, data)
        if written != len(data):  # the disk is full; the rest of the line will be cut off
            raise OSError(28, "No space left on device", str(self.path))


def open_journal(path: Path, run: Run, *, fresh: bool = False) -> Journal:
    """Open, lock and read a journal, or start one; `fresh` starts over.

    OutputError when it was made with other settings, is damaged, or another run is writing it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        _lock(path, descriptor)
        if fresh:
            os.ftruncate(descriptor, 0)
        header, done, end = _read(path)
        if header is None:
            head = {"journal": FORMAT} | run.to_dict() | {"labels": labels_to_json(run.labels)}
            os.ftruncate(descriptor, 0)
            end = os.write(descriptor, _line(head))
        else:
            _check_settings(path, header, run)
            os.ftruncate(descriptor, end)
    except BaseException:
        os.close(descriptor)
        raise
    return Journal(path, descriptor, end, done)


def read_journal(path: Path) -> tuple[Run, Iterator[Result]]:
    """The settings and the committed results of a journal, as they were written; later ones replace earlier ones."""
    header, done, _ = _read(path)
    if header is None:
        raise OutputError(f"{path}: this journal has no header; run the command that made it again with --overwrite")

    def results() -> Iterator[Result]:
        with path.open("rb") as lines:
            for entry in sorted(done.values(), key=lambda entry: entry.offset):
                yield from _recording_at(path, lines, entry.offset)

    return Run(header["settings"], labels_from_json(header["labels"])), results()


def _lock(path: Path, descriptor: int) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{path}: another run is writing this output; wait for it, or name another -o") from None
    except OSError:
        pass  # a file system without locks


def _check_settings(path: Path, header: dict[str, Any], run: Run) -> None:
    if changed := differences(header["settings"], json.loads(json.dumps(dict(run.settings)))):
        raise OutputError(
            f"{path}: the results there were made with other settings ({'; '.join(changed)}); "
            "use the same settings, --overwrite to start over, or another -o"
        )


def _read(path: Path) -> tuple[dict[str, Any] | None, dict[str, Entry], int]:
    """The header, the recordings that are done, and where what is committed ends."""
    header: dict[str, Any] | None = None
    done: dict[str, Entry] = {}
    end = position = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break  # torn by a kill
            position += len(line)
            if line.startswith(_ROW) and header:
                continue
            record = _parse(path, line, number)
            if header is None:
                if record.get("journal") != FORMAT:
                    raise OutputError(f"{path}: this is no journal of cedtag; move it away, or name another -o")
                header = record
            else:
                outcome = record["end"]
                file, offset = outcome["file"], outcome["offset"]
                done.pop(file, None)  # keeps the order of the latest
                done[file] = Entry(outcome["size"], outcome["mtime_ns"], offset, outcome["status"])
            end = position
    return header, done, end


def _parse(path: Path, line: bytes, number: int | str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not record.keys() & {"row", "end", "journal"}:
        raise OutputError(f"{path}: line {number} is damaged; use --overwrite to start over, or restore the file")
    return record


def _recording_at(path: Path, lines: BinaryIO, offset: int) -> Iterator[Result]:
    """The results of the recording whose rows begin at a byte.

    Its windows come before the line that names it, so that line is looked for first.
    """
    lines.seek(offset)
    while not (line := lines.readline()).startswith(_END):
        if not line:
            raise OutputError(f"{path}: the journal ends in the middle of a recording; use --overwrite to start over")
    outcome = _parse(path, line, f"at byte {lines.tell() - len(line)}")["end"]
    source = Source(
        outcome["file"], outcome["file"], outcome["path"], outcome["root"], outcome["size"], outcome["mtime_ns"]
    )
    lines.seek(offset)
    while (line := lines.readline()).startswith(_ROW):
        index, start, stop, tags = _parse(path, line, f"at byte {lines.tell() - len(line)}")["row"]
        yield TagResult(source, index, start, stop, tuple(Tag(*tag) for tag in tags))
    if outcome["status"] == "failed":
        yield FileFailed(source, outcome["stage"], outcome["error"])
    else:
        yield FileEnd(
            source, outcome["samples"], outcome["windows"], tuple(outcome["problems"]), tuple(outcome["warnings"])
        )


def _outcome(result: FileEnd | FileFailed) -> dict[str, Any]:
    source = result.source
    recording = {
        "file": source.name,
        "path": source.relative,
        "root": source.root,
        "size": source.size,
        "mtime_ns": source.mtime_ns,
    }
    if isinstance(result, FileFailed):
        return recording | {"status": "failed", "stage": result.stage, "error": result.error}
    return recording | {
        "status": result.status,
        "samples": result.num_samples,
        "windows": result.num_windows,
        "problems": result.problems,
        "warnings": result.warnings,
    }


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
