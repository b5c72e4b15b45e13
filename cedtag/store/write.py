"""A store, written: windows as they are scored, and parts when there are enough of them."""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.labels.tagged import SCALE
from cedtag.records import FileEnd, FileFailed
from cedtag.store import KIND
from cedtag.store.facts import facts_from_dict, maker_words
from cedtag.store.frames import COUNT
from cedtag.store.index import part_files
from cedtag.store.open_part import OpenPart, open_parts
from cedtag.store.parts import part_path, write_part
from cedtag.store.schema import (
    EMBEDDING,
    RECORDINGS,
    ROWS_PER_GROUP,
    StoredRecording,
    record_type,
    recording_id,
    recording_of,
    recording_row,
)
from cedtag.system.part_folder import open_part_folder

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.records import ScoredWindow, Source
    from cedtag.store.facts import StoreFacts
    from cedtag.store.frames import StoredFrames

WINDOWS_PER_PART = 4 * ROWS_PER_GROUP
RECORDINGS_PER_PART = ROWS_PER_GROUP  # of recordings that failed there may be any number
_LARGEST_HALF = 65_504.0  # of half precision
_HEAD_BYTES = 1 << 16  # which take less than a thousandth of the time that a window takes


class StoreWriter:
    """A store that this process writes; no other one may, until it is closed. Made by `open_store_writer`."""

    def __init__(self, path: Path, facts: StoreFacts, began: StoreFacts, folder: Any) -> None:
        self.path, self.facts, self.began = path, facts, began
        self._folder = folder
        self._record = np.zeros((), record_type(facts))
        self._part: OpenPart | None = None
        self._number = 0
        self._known = np.zeros(0, np.int64)  # the ids of all parts, sorted
        self._ids: set[int] = set()  # and those that came since
        self._run = ""
        self.has_superseded = False  # whether this run has stored a recording anew
        self._recover()

    @property
    def open_recordings(self) -> list[StoredRecording]:
        """What the unfinished part holds."""
        return [] if self._part is None else [recording_of(row) for row in self._part.rows()]

    @property
    def makers(self) -> list[str]:
        """What has written the parts that are there."""
        return list(self._makers)

    @property
    def part_names(self) -> list[str]:
        """The names of the parts that count."""
        return list(self._names)

    def add(self, window: ScoredWindow, frames: StoredFrames | None = None) -> None:
        """Take a window, and its frames if the store holds any; it counts when its recording has ended."""
        record = self._record
        record["index"], record["channel"] = window.index, window.channel
        record["start"], record["stop"] = window.start, window.stop
        record["scores"] = np.rint(window.probabilities.astype(np.float64) * SCALE)
        if self.facts.embedding_size is not None:
            assert window.embedding is not None
            record[EMBEDDING] = np.clip(window.embedding, -_LARGEST_HALF, _LARGEST_HALF)
        if not self._opened().pending:
            self._next_id = self.free_id(window.source)
        record["id"] = self._next_id
        if frames is None:
            self._opened().add(record)
            return
        record[COUNT], record["entries"] = frames.count, len(frames.entries)
        self._opened().add(record, frames.entries)

    def end(self, outcome: FileEnd | FileFailed, replaces: int | None = None) -> int:
        """Let the windows of a recording count, with its outcome; its id."""
        part = self._opened()
        own_id = self._next_id if part.pending else self.free_id(outcome.source)
        if isinstance(outcome, FileFailed):
            part.drop()
        first_row = part.num_rows if part.pending else None
        one = StoredRecording(own_id, outcome, head_hash(outcome.source.path), first_row, replaces)
        self._commit(one)
        self._ids.add(own_id)
        self.has_superseded |= replaces is not None
        return own_id

    def restate(self, id: int, outcome: FileEnd) -> None:
        """Let another outcome count for a recording whose windows stay."""
        self._opened()
        self._commit(StoredRecording(id, outcome))
        self.has_superseded = True

    def drop(self) -> None:
        """Take back the windows that were added since the last outcome."""
        if self._part is not None:
            self._part.drop()

    def sync(self) -> None:
        """Put what is committed on the disk."""
        if self._part is not None:
            self._part.sync()

    @property
    def is_part_full(self) -> bool:
        """Whether the unfinished part has as many windows as a part should."""
        part = self._part
        return part is not None and (part.num_rows >= WINDOWS_PER_PART or len(part.lines) >= RECORDINGS_PER_PART)

    def finish_part(self) -> str | None:
        """Make a part of what is there; its name, or None where nothing is."""
        part = self._part
        if part is None:
            return None
        part.drop()
        self._part = None
        if part.lines:
            part.sync()
            recordings = list(map(recording_of, part.rows()))
            write_part(self.path, part.name, self.facts, part.records(ROWS_PER_GROUP), recordings)
            self._names[part.name] = None
        part.remove()
        return part.name if part.lines else None

    def close(self) -> None:
        """Let go; what is committed stays for the next run."""
        try:
            if self._part is not None:
                self._part.drop()
                self._part.close()
        finally:
            self._folder.close()

    def _commit(self, one: StoredRecording) -> None:
        self._opened().commit(recording_row(one))

    def _opened(self) -> OpenPart:
        if self._part is None:
            self._number += 1
            self._part = OpenPart(self.path, f"{self._run}-{self._number:06d}", self.facts)
        return self._part

    def free_id(self, source: Source) -> int:
        """The id that the recording gets, when it is stored as it is now."""
        attempt = 0
        while self._is_taken(own_id := recording_id(source, attempt)):
            attempt += 1
        return own_id

    def _is_taken(self, id: int) -> bool:
        place = np.searchsorted(self._known, id)
        return id in self._ids or bool(place < len(self._known) and self._known[place] == id)

    def _recover(self) -> None:
        """Take in what earlier runs have left: the ids of all parts, and what is committed to an unfinished one."""
        files = part_files(self.path, self.began)
        ids = [file.read(["id"])["id"].to_numpy() for file in files]
        self._known = np.sort(np.concatenate([np.zeros(0, np.int64), *ids]))
        self._names = dict.fromkeys(file.path.stem for file in files)
        self._makers = dict.fromkeys(maker_words(file.facts()[0].written_by) for file in files)
        left = open_parts(self.path)
        self._run = run_name(max([*(file.path.stem for file in files), *left], default=""))
        for name in left:
            part = OpenPart(self.path, name, self.facts)
            if part_path(self.path, RECORDINGS, name).exists():
                part.remove()
                continue
            self._ids.update(row["id"] for row in part.rows())
            if self._part is not None:
                self.finish_part()
            self._part = part


def open_store_writer(path: Path, facts: StoreFacts) -> StoreWriter:
    """Open a store to write windows of these facts, or start one.

    OutputError where its facts differ, where something else is there, and while another process writes it.
    """

    def differences(before: dict[str, Any]) -> list[str]:
        return facts.differences(facts_from_dict(path, before))

    folder = open_part_folder(path, KIND, facts.to_dict(), differences)
    try:
        return StoreWriter(path, facts, facts_from_dict(path, folder.facts), folder)
    except BaseException:
        folder.close()
        raise


def head_hash(path: str) -> str:
    """A hash of the first 64 KiB of a file; "" where it cannot be read, or is none."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            return blake2b(file.read(_HEAD_BYTES), digest_size=16).hexdigest()
    except (OSError, ValueError):
        return ""


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def run_name(latest: str) -> str:
    """The beginning of the names of this run's parts, which come after that of the latest part."""
    now = time.time_ns() // 1_000_000
    before = latest.partition("-")[0]
    if before.isdecimal():
        now = max(now, int(before) + 1)
    return f"{now:014d}-{os.urandom(4).hex()}"
