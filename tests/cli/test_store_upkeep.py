"""`cedtag store`: what a store holds, whether it is sound, and its upkeep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from pyarrow import parquet

from cedtag.store import open_store
from cedtag.store.write import open_store_writer
from tests.stores import FACTS, make_store, source, windows


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with a store of two parts."""
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "s", {"b/x.wav": 4, "z.wav": 1, "bad.wav": "is no audio", "b/y.wav": 2}, parts=2)
    return Path("s")


def names() -> list[str]:
    return [outcome.source.relative for outcome in open_store(Path("s")).recordings()]


def damage(store: Path) -> Path:
    """Change a byte in a page of a part."""
    part = sorted((store / "windows").iterdir())[0]
    data = bytearray(part.read_bytes())
    data[data.rindex(b"\x28\xb5\x2f\xfd") + 9] ^= 8
    part.write_bytes(data)
    return part


def test_info_counts_what_counts_and_says_who_wrote_it(cedtag, store):
    writer = open_store_writer(store, FACTS)
    for window in windows(source("new.wav"), 2):
        writer.add(window)
    writer.close()
    shown = dict(line.split("  ", 1) for line in cedtag("store", "info", "s").lines)
    assert shown["recordings"].strip() == "3 done, 1 failed"
    assert shown["windows"].strip() == "7; 1 min 10 s of audio"
    assert shown["written by"].strip().startswith("torch, cedtag")
    assert "a run goes on or was killed" in shown["unfinished"]
    info = json.loads(cedtag("store", "info", "s", "-f", "json").stdout)
    assert info["recordings"] == {"ok": 3, "failed": 1}
    assert (info["windows"], info["audio_hours"], info["parts"]) == (7, round(70 / 3600, 4), 2)
    assert (info["classes"], info["embedding"], info["settings"]["window"]) == (4, 8, 10.0)
    assert info["written_by"] == [{"backend": "torch"}]


def test_verify_names_the_parts_that_are_damaged_and_forget_takes_them_out(cedtag, store):
    sound = cedtag("store", "verify", "s")
    assert (sound.code, sound.stdout) == (0, b"")
    part = damage(store)
    found = cedtag("store", "verify", "s")
    assert found.code == 1
    assert [line.split("\t")[:2] for line in found.lines] == [["part", "recordings"], [part.stem, "2"]]
    assert part.name in found.lines[1]
    (fault,) = json.loads(cedtag("store", "verify", "s", "-f", "json").stdout)
    assert (fault["part"], fault["recordings"]) == (part.stem, 2)
    assert cedtag("store", "forget", "s", "--damaged", "--yes").code == 0
    assert names() == ["b/y.wav", "bad.wav"]
    assert cedtag("store", "verify", "s").code == 0


def test_verify_finds_missing_columns_and_windows_of_others(cedtag, store):
    one, other = sorted((store / "windows").iterdir())
    whole = one.read_bytes()
    parquet.write_table(parquet.read_table(one).drop_columns(["Rain"]), one)
    assert "has no column 'Rain'" in cedtag("store", "verify", "s").stdout.decode()
    one.write_bytes(other.read_bytes())
    assert "holds 2 windows where its recordings have 5" in cedtag("store", "verify", "s").stdout.decode()
    one.unlink()
    assert one.name in cedtag("store", "verify", "s").stdout.decode()
    one.write_bytes(whole)
    assert cedtag("store", "verify", "s").code == 0


def test_compact_makes_one_part_of_many(cedtag, store):
    before = names()
    done = cedtag("store", "compact", "s")
    assert done.code == 0
    assert "s: 1 part in the place of 2" in done.stderr
    assert names() == before
    assert len(list((store / "windows").iterdir())) == len(list((store / "recordings").iterdir())) == 1


def test_forget_takes_recordings_and_folders_out(cedtag, store):
    assert "Forget 2 recordings of 4 in s?" in cedtag("store", "forget", "s", "archive/b").stderr
    assert len(names()) == 4
    assert "2 recordings forgotten, 2 left" in cedtag("store", "forget", "s", "archive/b", "--yes").stderr
    assert names() == ["bad.wav", "z.wav"]
    assert cedtag("store", "forget", "s", "/archive/z.wav", "-y").code == 0
    assert names() == ["bad.wav"]
    refused = cedtag("store", "forget", "s", "archive/nothing", "-y")
    assert refused.code == 2
    assert "holds no recording or folder archive/nothing" in refused.stderr
    assert cedtag("store", "forget", "s", "--missing", "-y").code == 0
    assert names() == []
    assert cedtag("store", "info", "s").code == 0


@pytest.mark.parametrize("command", ["info", "verify", "compact", "forget"])
def test_a_folder_without_a_store_is_a_sentence(cedtag, command):
    Path("empty").mkdir()
    more = ["x"] if command == "forget" else []
    refused = cedtag("store", command, "empty", *more)
    assert refused.code == 2
    assert "empty: there is no store here" in refused.stderr
    assert not list(Path("empty").iterdir())


def test_forget_needs_one_way_to_choose(cedtag):
    assert cedtag("store", "forget", "s").code == 2
    assert cedtag("store", "forget", "s", "x", "--missing").code == 2


@pytest.mark.parametrize("command", ["compact", "forget"])
def test_a_store_that_is_being_written_is_left_alone(cedtag, store, command):
    writer = open_store_writer(store, FACTS)
    more = ["archive/b", "-y"] if command == "forget" else []
    refused = cedtag("store", command, "s", *more)
    writer.close()
    assert refused.code == 1
    assert "another command is writing this store" in refused.stderr
    assert len(names()) == 4


def test_query_names_a_part_whose_recordings_are_gone(cedtag, store):
    assert "missing" not in cedtag("query", store, "-f", "csv").stderr
    gone = sorted((store / "recordings").iterdir())[0]
    gone.unlink()
    assert f"recordings/{gone.name} is missing" in cedtag("query", store, "-f", "csv").stderr
