"""A journal is on the disk as often as it promises, so that a power cut costs little."""

from __future__ import annotations

import pytest

from cedtag.records import FileEnd, FileFailed, Source
from cedtag.run import journal as journals
from cedtag.run.journal import SYNC_EVERY, may_pass
from cedtag.run.journal.open import open_journal
from cedtag.writers.run_info import RunInfo
from tests.disk import record_syncs

RUN = RunInfo({}, ())
NAME = "r.journal"


@pytest.fixture
def synced(tmp_path, monkeypatch) -> list[tuple[str, object]]:
    """What is synced, with the number of lines that the journal then has."""
    return record_syncs(tmp_path, monkeypatch, lambda: (tmp_path / NAME).read_bytes().count(b"\n"))


def end(number: int) -> FileEnd:
    return FileEnd(Source(f"{number}", f"{number}", f"{number}", "", 1, 1), 16_000, 0)


def test_a_new_journal_is_on_the_disk_with_its_name(tmp_path, synced):
    journal = open_journal(tmp_path / NAME, RUN)
    assert synced == [(NAME, 1), (".", 1)]
    journal.close()


def test_recordings_are_on_the_disk_after_so_many(tmp_path, synced):
    journal = open_journal(tmp_path / NAME, RUN)
    synced.clear()
    for number in range(2 * SYNC_EVERY + 1):
        journal.add(end(number))
    assert synced == [(NAME, 1 + SYNC_EVERY), (NAME, 1 + 2 * SYNC_EVERY)]
    journal.close()


def test_recordings_are_on_the_disk_after_so_long(tmp_path, synced, monkeypatch):
    journal = open_journal(tmp_path / NAME, RUN)
    synced.clear()
    monkeypatch.setattr(journals, "SYNC_AFTER_S", 0)
    journal.add(end(0))
    assert synced == [(NAME, 2)]
    journal.close()


def test_the_end_of_a_run_is_on_the_disk(tmp_path, synced):
    journal = open_journal(tmp_path / NAME, RUN)
    journal.add(end(0))
    synced.clear()
    journal.note_made({})
    assert synced == [(NAME, 3)]
    journal.close()


def test_what_is_finished_is_on_the_disk_when_a_journal_is_closed(tmp_path, synced):
    journal = open_journal(tmp_path / NAME, RUN)
    journal.add(end(0))
    synced.clear()
    journal.close()
    assert synced == [(NAME, 2)]


@pytest.mark.parametrize(
    ("stage", "is_there", "passes"),
    [
        ("timeout", True, True),
        ("crash", True, True),
        ("read", True, True),
        ("open", False, True),
        ("decode", False, True),
        ("open", True, False),
        ("decode", True, False),
        ("output", True, False),
    ],
)
def test_damage_is_told_from_causes_that_can_pass(tmp_path, stage, is_there, passes):
    path = tmp_path / "a.wav"
    if is_there:
        path.write_bytes(b"no audio")
    assert may_pass(FileFailed(Source(str(path), "a.wav", "a.wav", "", 8, 1), stage, "")) == passes
