"""Folders of parts: one header, one writer, parts that are whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cedtag.errors import InputError, OutputError
from cedtag.system.part_folder import HEADER, PartFolder, is_store, open_part_folder, parts_of, read_facts

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path, **facts: object) -> PartFolder:
    def differences(before: dict[str, object]) -> list[str]:
        return [f"{key} was {before[key]}" for key in facts if before[key] != facts[key]]

    return open_part_folder(path, "scores", dict(facts), differences)


def test_a_store_is_started_and_gone_on_with(tmp_path: Path) -> None:
    with opened(tmp_path / "a", model="demo") as store, store.writing_part("windows/1.parquet") as out:
        out.write(b"part")
    with opened(tmp_path / "a", model="demo") as store:
        assert [part.read_bytes() for part in store.parts("windows")] == [b"part"]
    assert is_store(tmp_path / "a", "scores")
    assert not is_store(tmp_path / "a", "distillation")
    assert read_facts(tmp_path / "a", "scores") == {"model": "demo"}


def test_only_one_command_writes(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(OutputError, match="another command is writing"):
        opened(tmp_path)
    opened(tmp_path).close()


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    opened(tmp_path, window=10).close()
    with pytest.raises(OutputError, match="window was 10"):
        opened(tmp_path, window=5)


def test_a_folder_of_other_files_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.wav").touch()
    with pytest.raises(OutputError, match=r"holds other files \(x.wav\)"):
        opened(tmp_path)


@pytest.mark.parametrize("found", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_a_damaged_header_is_said(tmp_path: Path, found: bytes) -> None:
    (tmp_path / HEADER).write_bytes(found)
    with pytest.raises(InputError, match="damaged"):
        read_facts(tmp_path, "scores")
    assert not is_store(tmp_path)


def test_another_kind_and_another_version_are_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with pytest.raises(InputError, match="a store of scores, and not of distillation"):
        read_facts(tmp_path, "distillation")
    (tmp_path / HEADER).write_text(json.dumps({"store": "scores", "format": 99}))
    with pytest.raises(InputError, match="another version"):
        read_facts(tmp_path, "scores")


def test_a_part_that_was_not_finished_is_none(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        part = store.writing_part("windows/1.parquet")
        part.__enter__().write(b"half")
        assert not part.__exit__(RuntimeError, RuntimeError(), None)
        assert store.parts("windows") == parts_of(tmp_path, "windows") == []


def test_where_nothing_is_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no store here"):
        read_facts(tmp_path / "none", "scores")


def test_a_folder_of_other_files_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(OutputError, match="holds other files"):
        opened(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.wav"]
