"""What is already done: an append-only file from which a killed run goes on and every output is made.

Lines are only ever appended, so what is committed stays; what stands after it was torn by a kill and is cut off.
"""

from __future__ import annotations

import os
import time
from array import array
from dataclasses import replace
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any
from zlib import crc32

from cedtag.audio.open import is_there, open_regular
from cedtag.errors import AudioError, OutputError
from cedtag.records import MISSING, PASSING_STAGES, AlreadyDone, FileEnd, FileFailed, Source, TagResult
from cedtag.run.journal.format import (
    Contents,
    end_line,
    end_of,
    made_line,
    results_at,
    row_line,
    source_of,
    stale_end_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cedtag.records import Listed, Result
    from cedtag.run.journal.index import Entry

JOURNAL_SUFFIX = ".journal"
SYNC_EVERY = 100  # recordings, or
SYNC_AFTER_S = 5.0  # seconds: what a power cut can cost
FLUSH_BYTES = 1 << 18


class Journal:
    """The journal of one output, locked while open. Made by `cedtag.run.journal.open`."""

    def __init__(self, path: Path, descriptor: int, contents: Contents) -> None:
        assert contents.header is not None
        self.path = path
        self.since_ns: int = contents.header["since_ns"]
        self.replaces = self.since_ns == 0  # started to replace what is there, and not beside it
        self.made_earlier = contents.made
        self.made = contents.made[-1] if contents.made else None
        self.is_finished = contents.made_last
        self.since_made = contents.since_made
        self._descriptor = descriptor
        self._done = contents.done
        self._by_relative = contents.done.by_relative
        self._committed = self._size = contents.end
        self._buffer = bytearray()
        self._rows_crc = 0
        self._order = array("q")  # where the lines are that commit this run's recordings, in the order they came
        self._unsynced = 0
        self._synced_at = time.monotonic()

    @property
    def size(self) -> int:
        """How many bytes are committed."""
        return self._committed

    def knows(self, source: Source) -> bool:
        """Whether an earlier run has done this recording, be it in another state."""
        return self._entry(source) is not None

    def holds_another(self, source: Source) -> bool:
        """Whether rows stand under the name of this recording that came from another one."""
        entry = self._done.find_name(source)
        if entry is None or entry.status == "failed":
            return False
        if not (source.at and entry.has_place):
            return self._by_relative and entry.moved and not entry.unchanged
        own = self._done.find(source)
        is_own = own is not None and own.place == entry.place
        return not is_own and not (entry.unchanged and self._is_gone(entry))

    def as_before(self, source: Source) -> Source:
        """The recording under the name that it was first given, however it is spelled now."""
        entry = self._done.find(source)
        if entry is None or not entry.renamed:
            return source
        before = self._source(entry)
        return replace(source, name=before.name, relative=before.relative, root=before.root)

    def stamps_of(self, source: Source) -> list[tuple[int, int]] | None:
        """Size and modification time of the files that were made of a recording; None where that was not noted."""
        entry = self._entry(source)
        stamps = None if entry is None else self._end_at(entry.offset).get("files")
        return None if stamps is None else [(size, mtime_ns) for size, mtime_ns in stamps]

    def last_outcome(self) -> FileEnd | FileFailed:
        """The outcome that was committed last in this run."""
        with self.path.open("rb") as lines:
            *_, outcome = results_at(lines, self._order[-1])
        assert isinstance(outcome, FileEnd | FileFailed)
        return outcome

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool = False) -> Iterator[Listed]:
        """Pass on what is to be done, and `AlreadyDone` in the place of what is done.

        What failed for a package that was not installed is to be done; with `retry_failed` everything that failed, and
        what was cut short by a cause that can pass.
        """
        for item in sources:
            if not isinstance(item, Source | FileFailed):
                yield item
                continue
            source = self.as_before(item if isinstance(item, Source) else item.source)
            entry = self._entry(source)
            if entry is None or not entry.unchanged or entry.lacks_package or (retry_failed and entry.can_retry):
                yield source if isinstance(item, Source) else replace(item, source=source)
            else:
                yield AlreadyDone(source, entry.status)

    def keep(self, source: Source) -> None:
        """Let what an earlier run did with a recording stand at this place of the results."""
        entry = self._entry(source)
        assert entry is not None
        self._done.keep(entry)
        self._order.append(entry.offset)

    def add(self, result: Result, stamps: Sequence[tuple[int, int]] | None = None) -> FileFailed | None:
        """Write down one window, or the end of a recording with which its windows count.

        `stamps` are the size and modification time of files that were made of the recording. Rows of an earlier run
        stand where `stands` says so. They stand, too, but marked as stale, when the file has changed and cannot be read
        now: then the failure comes back that says so.
        """
        if isinstance(result, TagResult):
            line = row_line(result)
            self._rows_crc = crc32(line, self._rows_crc)
            self._append(line)
            return None
        assert isinstance(result, FileEnd | FileFailed), "events are made of rows, and of them alone"
        entry, was = self._entry(result.source), None
        if entry is not None and entry.lacks_package and isinstance(result, FileFailed) and result.stage == MISSING:
            self.keep(result.source)  # so that the journal does not grow with every run that lacks it still
            return None
        if entry is not None and isinstance(result, FileFailed) and entry.status != "failed":
            if self.stands(result):
                self.keep(result.source)
                return None
            if may_pass(result):
                return self._keep_stale(entry, result)
        # A failure to write does not concern the recording that has the place: its outcome stays.
        if entry is not None and not (isinstance(result, FileFailed) and result.stage == "output"):
            self._done.keep(entry)
            was = self._place_before(entry, result.source)
        self._commit_end(end_line(result, self._committed, self._rows_crc, was, stamps))
        return None

    def _keep_stale(self, entry: Entry, failed: FileFailed) -> FileFailed:
        """Let the rows of an earlier run stand, marked as those of an older state of the file."""
        before = self._end_at(entry.offset)
        line = stale_end_line(before, failed)
        self._done.keep(entry)
        if line is None:
            self._order.append(entry.offset)
        else:
            self._commit_end(line)
        return FileFailed(failed.source, "stale", f"{failed.error}; its earlier results are kept, and are stale")

    def _commit_end(self, line: bytes) -> None:
        """Append the line that ends a recording, and put it on the disk when it is time."""
        self._check_is_there()
        self._order.append(self._size + len(self._buffer))
        self._append(line)
        self._rows_crc = 0
        self._commit()
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY or time.monotonic() - self._synced_at >= SYNC_AFTER_S:
            self.sync()

    def stands(self, failed: FileFailed) -> bool:
        """Whether rows of an earlier run stand although their recording has failed now.

        So it is when the file is out of reach (a disk may be missing for a while), and when it was tried again.
        """
        entry = self._entry(failed.source)
        if entry is None or entry.status == "failed":
            return False
        return is_out_of_reach(failed.source) or (entry.unchanged and failed.stage != "output")

    def sync(self) -> None:
        """Put what is committed on the disk."""
        self._check_is_there()
        os.fsync(self._descriptor)
        self._unsynced = 0
        self._synced_at = time.monotonic()

    def results(self) -> Iterator[Result]:
        """Every committed result: first of recordings that are no longer found, then in the order of this run."""
        with self.path.open("rb") as lines:
            for offset in chain(self._not_met(), self._order):
                yield from results_at(lines, offset)

    def _not_met(self) -> list[int]:
        """The offsets of recordings that this run did not meet: all with rows, and those that failed and exist."""
        failed = [at for at in self._done.gone(failed=True).tolist() if is_there(self._end_at(at)["file"])]
        return sorted([*self._done.gone().tolist(), *failed])

    def digest(self) -> str:
        """A hash of what `results` would give, for this journal."""
        digest = blake2b(array("q", self._not_met()).tobytes(), digest_size=16)
        digest.update(self._order.tobytes())
        return digest.hexdigest()

    def note_made(self, made: dict[str, Any]) -> None:
        """Write down that the run has come to its end and what was made of it."""
        self._append(made_line(made))
        self._commit()
        self.sync()

    def close(self) -> None:
        """Cut off what is not committed, and unlock."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            if os.fstat(descriptor).st_size > self._committed:
                os.ftruncate(descriptor, self._committed)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _check_is_there(self) -> None:
        """OutputError when somebody has removed, replaced or shortened the journal while it was written."""
        status = os.fstat(self._descriptor)
        if status.st_size >= self._size and status.st_nlink and self.path.exists():
            return
        what = "shortened" if status.st_size < self._size else "removed or replaced"
        raise OutputError(
            f"{self.path}: this journal was {what} by another program during the run; run the same command again to do "
            "what is lost, and use `overwrite` where the output stands without it"
        )

    def _entry(self, source: Source) -> Entry | None:
        """What is written of a recording, which may have been in another place."""
        entry = self._done.find(source)
        if entry is not None:
            return entry
        entry = self._done.find_name(source)
        if entry is None or not (source.at and entry.has_place):
            return entry
        is_same = entry.unchanged or entry.status == "failed"
        return entry if is_same and self._is_gone(entry) else None

    def _is_gone(self, entry: Entry) -> bool:
        """Whether there is nothing any more where this recording was."""
        return not is_there(self._source(entry).at)

    def _place_before(self, entry: Entry, source: Source) -> str | None:
        """The place where a recording was, if it is now in another."""
        before = self._done.place_of(self._source(entry))
        return None if before == self._done.place_of(source) else before

    def _source(self, entry: Entry) -> Source:
        return source_of(self._end_at(entry.offset))

    def _end_at(self, offset: int) -> dict[str, Any]:
        # Not through a file that is opened again: another may have its path now, and two threads may read.
        line = b""
        while b"\n" not in line and (piece := os.pread(self._descriptor, 4096, offset + len(line))):
            line += piece
        return end_of(line.partition(b"\n")[0], offset, self.path)

    def _append(self, line: bytes) -> None:
        self._buffer += line
        if len(self._buffer) >= FLUSH_BYTES:
            self._flush()

    def _commit(self) -> None:
        self._flush()
        self._committed = self._size

    def _flush(self) -> None:
        write(self._descriptor, self._buffer)
        self._size += len(self._buffer)
        self._buffer.clear()


def may_pass(failed: FileFailed) -> bool:
    """Whether a recording may be readable later: it was given up, or its file cannot be read, and it is not damaged."""
    if failed.stage in PASSING_STAGES:
        return True
    if failed.stage not in ("open", "decode"):
        return False
    try:
        with os.fdopen(open_regular(failed.source), "rb") as file:
            while file.read(1 << 20):
                pass
    except (AudioError, OSError):
        return True
    return False


def is_out_of_reach(source: Source) -> bool:
    """Whether the file of a recording could not even be looked at."""
    return source.size == source.mtime_ns == 0


def write(descriptor: int, data: bytes | bytearray) -> None:
    """Write all of it."""
    rest = memoryview(data)
    while rest:  # a short write has no error; the next one does
        rest = rest[os.write(descriptor, rest) :]
