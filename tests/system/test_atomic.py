"""Files appear whole or not at all, a power cut included."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import OutputError
from cedtag.system.atomic import cut_name, replacing, writing_whole
from tests.disk import record_syncs


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


@pytest.mark.parametrize("leave", ["symlink_to", "hardlink_to", "fifo"])
def test_what_lies_at_the_temporary_name_is_not_written_to(tmp_path, leave):
    path, victim, part = tmp_path / "a", tmp_path / "victim", tmp_path / ".a.part"
    victim.write_bytes(b"precious")
    if leave == "fifo":
        os.mkfifo(part)
    else:
        getattr(part, leave)(victim)
    with writing_whole(path) as out:
        out.write(b"words")
    assert (path.read_bytes(), path.is_symlink(), victim.read_bytes()) == (b"words", False, b"precious")
    assert not os.path.lexists(part)


def test_two_writers_of_one_file_are_told_apart(tmp_path):
    path = tmp_path / "a"
    with writing_whole(path) as out:
        with pytest.raises(OutputError, match="another command is writing this file"), writing_whole(path):
            pass
        out.write(b"words")
    assert path.read_bytes() == b"words"


def test_a_device_and_a_descriptor_are_written_as_they_stand(tmp_path):
    with writing_whole(Path("/dev/null")) as out:
        out.write(b"words")
    assert Path("/dev/null").is_char_device()
    with (tmp_path / "a").open("wb", buffering=0) as file:
        file.write(b"one ")
        link = tmp_path / "link"
        link.symlink_to(f"/dev/fd/{file.fileno()}")
        for path in (Path(f"/dev/fd/{file.fileno()}"), Path(f"/proc/self/fd/{file.fileno()}"), link):
            with writing_whole(path) as out:
                out.write(b"two ")
        file.write(b"three")
    assert (tmp_path / "a").read_bytes() == b"one two two two three"


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), st.integers(0, 20))
def test_a_name_is_cut_between_letters(name, num_bytes):
    cut = cut_name(name, num_bytes)
    assert name.startswith(cut)
    assert len(cut.encode()) <= num_bytes
    rest = name[len(cut) :]
    assert rest == "" or len((cut + rest[0]).encode()) > num_bytes


def test_a_name_that_is_not_utf_8_is_cut_at_any_byte():
    assert cut_name("\udcff" * 9, 4) == "\udcff" * 4
