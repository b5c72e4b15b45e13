"""A store as the output of a run: every window with all its scores, and the journal that says what is done.

The parts of the store are what counts. The journal follows from them, and is made anew where it says something else:
after a power cut, and when parts of another shard were copied in.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeAlias

from cedtag.records import AlreadyDone, FileEnd, FileFailed, ScoredWindow, Source
from cedtag.run.columns import time_scores
from cedtag.run.journal import SYNC_AFTER_S, SYNC_EVERY
from cedtag.run.journal.format import end_line, header_line, made_line
from cedtag.run.journal.open import open_journal
from cedtag.run.outputs.files import TAKEN
from cedtag.store import journal_of_store
from cedtag.store.compact import without_superseded
from cedtag.store.facts import maker_words
from cedtag.store.frames import StoredFrames
from cedtag.store.read import Store
from cedtag.store.write import open_store_writer
from cedtag.system.atomic import writing, writing_whole
from cedtag.writers.run_info import RunInfo

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cedtag.records import Listed
    from cedtag.run.journal import Journal
    from cedtag.store.facts import StoreFacts
    from cedtag.store.write import StoreWriter

    Stored: TypeAlias = ScoredWindow | FileEnd | FileFailed | AlreadyDone


class StoreOutput:
    """Takes what a run yields, windows with all their scores, and keeps it in a store."""

    def __init__(self, writer: StoreWriter, journal: Journal) -> None:
        self._writer, self._journal = writer, journal
        self._unsynced, self._synced_at = 0, time.monotonic()

    @property
    def path(self) -> Path:
        """The folder of the store."""
        return self._writer.path

    @property
    def journal(self) -> Journal:
        """What is done, and which files were made of the store."""
        return self._journal

    @property
    def part_names(self) -> list[str]:
        """The parts that count."""
        return self._writer.part_names

    def sources(self) -> Iterator[Source]:
        """Every recording that the parts hold, in listing order."""
        return (outcome.source for outcome in Store(self.path).recordings())

    def pending(self, sources: Iterable[Listed], *, retry_failed: bool) -> Iterator[Listed]:
        """Pass on what is to be done; a name that another recording has in the store is refused."""
        for item in self._journal.pending(sources, retry_failed=retry_failed):
            if isinstance(item, Source | AlreadyDone):
                source = item if isinstance(item, Source) else item.source
                if self._journal.holds_another(source):
                    yield FileFailed(source, "output", f"{source.name}: {TAKEN}")
                    continue
            yield item

    def write(self, outcome: Stored) -> FileFailed | None:
        """Take an outcome; the failure that stands for the recording in its place, where an earlier result stays."""
        failed = None
        with writing(self._writer.path):
            if isinstance(outcome, ScoredWindow):
                columns = outcome.columns
                self._writer.add(outcome, None if columns is None else StoredFrames.of(time_scores(columns)))
                return None
            if isinstance(outcome, FileEnd):
                earlier = self._earlier_id(outcome.source)
                own_id = self._writer.end(outcome, earlier)
                self._journal.add(outcome, [(own_id, 0)])
            elif isinstance(outcome, FileFailed) and outcome.stage != "output":
                failed = self._fail(outcome)
            self._sync_now_and_then()
            if self._writer.is_part_full:
                self._finish_part()
        return failed

    def finish(self) -> None:
        """Make a part of what is there, and take out of other parts what was done again."""
        with writing(self._writer.path):
            self._finish_part()
            if self._writer.has_superseded:
                for name, instead_of in without_superseded(self._writer.path):
                    self._journal.note_made({"part": name, "instead_of": instead_of})

    def close(self) -> None:
        """Let go. What a run that was stopped has committed becomes a part, so that it can be read."""
        try:
            with writing(self._writer.path):
                self._finish_part()
        finally:
            try:
                self._writer.close()
            finally:
                with writing(self._journal.path):
                    self._journal.close()

    def _fail(self, failed: FileFailed) -> FileFailed | None:
        earlier, before = self._earlier_id(failed.source), self._journal.size
        own_id = self._writer.free_id(failed.source)
        stale = self._journal.add(failed, [(own_id, 0)])
        if self._journal.size == before:  # what an earlier run has written stands
            self._writer.drop()
        elif stale is None:
            self._writer.end(failed, earlier)
        else:
            outcome = self._journal.last_outcome()
            assert earlier is not None
            assert isinstance(outcome, FileEnd)
            self._writer.restate(earlier, outcome)
        return stale

    def _earlier_id(self, source: Source) -> int | None:
        """The id of what an earlier run has stored of a recording."""
        stamps = self._journal.stamps_of(source) if self._journal.knows(source) else None
        return stamps[0][0] if stamps else None

    def _sync_now_and_then(self) -> None:
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY or time.monotonic() - self._synced_at >= SYNC_AFTER_S:
            self._writer.sync()
            self._unsynced, self._synced_at = 0, time.monotonic()

    def _finish_part(self) -> None:
        if (name := self._writer.finish_part()) is not None:
            self._journal.note_made({"part": name})


def open_store_output(path: Path, facts: StoreFacts) -> StoreOutput:
    """The store at a path, to which a run adds what it has not done yet; see `open_store_writer`."""
    writer = open_store_writer(path, facts)
    _note_maker(writer)
    try:
        with writing(path):
            journal = _open_journal(writer)
    except BaseException:
        writer.close()
        raise
    return StoreOutput(writer, journal)


def _note_maker(writer: StoreWriter) -> None:
    """Log that another backend or machine has written the store so far."""
    before, now = writer.makers, maker_words(writer.facts.written_by)
    if before and now not in before:
        logger.warning(
            "%s: was written by %s, and is now by %s; scores differ by less than 1e-5, and a printed digit may",
            writer.path,
            " and ".join(before),
            now,
        )


def _open_journal(writer: StoreWriter) -> Journal:
    path = journal_of_store(writer.path)
    run = RunInfo(writer.facts.settings, writer.facts.labels)
    if path.is_file():
        journal = open_journal(path, run)
        if _agrees(journal, writer):
            return journal
        journal.close()
    _write_journal(path, run, writer)
    return open_journal(path, run)


def _agrees(journal: Journal, writer: StoreWriter) -> bool:
    """Whether a journal holds what the parts and the unfinished one hold."""
    known: set[str | None] = set()
    for made in journal.made_earlier:
        if "files" in made:  # rows that were made of the store
            continue
        known = (known - set(made.get("instead_of", ()))) | {made.get("part")}
    known.discard(None)  # of a part that holds nothing any more
    return known == set(writer.part_names) and journal.since_made == len(writer.open_recordings)


def _write_journal(path: Path, run: RunInfo, writer: StoreWriter) -> None:
    """Write a journal of all outcomes that count."""
    with writing_whole(path) as out:
        out.write(header_line(run, 1))
        for one in Store(writer.path).stored():
            out.write(end_line(one.outcome, out.tell(), 0, None, [(one.id, 0)]))
        for name in writer.part_names:
            out.write(made_line({"part": name}))
        for one in writer.open_recordings:
            out.write(end_line(one.outcome, out.tell(), 0, None, [(one.id, 0)]))
