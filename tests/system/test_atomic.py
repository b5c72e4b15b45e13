"""Files appear whole or not at all, a power cut included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cedtag.system.atomic import replacing, writing_whole
from tests.disk import record_syncs

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_at_the_end(tmp_path, monkeypatch):
    path = tmp_path / "a"

    def state() -> dict[str, bytes]:
        return {found.name: found.read_bytes() for found in tmp_path.iterdir()}

    synced = record_syncs(tmp_path, monkeypatch, state)
    with writing_whole(path) as out:
        out.write(b"words")
    assert synced == [(".a.part", {".a.part": b"words"}), (".", {"a": b"words"})]


def test_a_file_system_that_cannot_sync_folders_is_no_failure(tmp_path, monkeypatch):
    def fsync(_):
        if (tmp_path / "a").exists():
            raise OSError

    monkeypatch.setattr("os.fsync", fsync)
    with writing_whole(tmp_path / "a") as out:
        out.write(b"words")
    assert (tmp_path / "a").read_bytes() == b"words"


@pytest.mark.parametrize("writer", [replacing, writing_whole])
def test_a_block_that_fails_leaves_what_was_there(tmp_path, writer):
    path = tmp_path / "a"
    path.write_bytes(b"before")

    def half(part: Path) -> None:
        part.write_bytes(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), writer(path):
        half(tmp_path / ".a.part")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("a", b"before")]
