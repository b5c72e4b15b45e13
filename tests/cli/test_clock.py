"""Times on the recorder's clock in rows, from the run, after a resume, and through conversions."""

from __future__ import annotations

import io
import json
import sqlite3

import numpy as np
import pytest
import soundfile

from cedtag.cli import run
from tests.micro import micro_checkpoint


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    micro_checkpoint(tmp_path / "micro")
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for name in ("SM4_20240501_053000.wav", "walk.wav"):
        soundfile.write(tmp_path / "in" / name, 0.1 * rng.standard_normal(3 * 16_000), 16_000)
    return tmp_path


def tag(*options: str) -> int:
    return run(["tag", "in", "-m", "micro", "-w", "2", "-k", "1", "-q", "--start-time", "name", *options])


CLOCKS = {
    "in/SM4_20240501_053000.wav": [
        ["2024-05-01T05:30:00.000+02:00", "2024-05-01T05:30:02.000+02:00"],
        ["2024-05-01T05:30:02.000+02:00", "2024-05-01T05:30:03.000+02:00"],
    ],
    "in/walk.wav": [[None, None], [None, None]],
}


def clocks(lines: str) -> dict[str, list[list[str | None]]]:
    found: dict[str, list[list[str | None]]] = {}
    for row in map(json.loads, lines.splitlines()):
        found.setdefault(row["file"], []).append([row["abs_start"], row["abs_end"]])
    return found


def test_rows_have_clock_times_where_they_are_known(archive, capfd):
    assert tag("-f", "jsonl", "--timezone", "Europe/Berlin") == 0
    assert clocks(capfd.readouterr().out) == CLOCKS


def test_rows_have_none_unless_they_are_asked_for(archive, capfd):
    assert run(["tag", "in", "-m", "micro", "-k", "1", "-q", "-f", "csv"]) == 0
    assert capfd.readouterr().out.startswith("file,start,end,rank,index,mid,label,score\n")


def test_every_table_has_the_columns(archive):
    files = ["r.csv", "r.tsv", "r.json", "r.jsonl", "r.sqlite"]
    assert tag("--timezone", "+02:00", *(word for file in files for word in ("-o", file))) == 0

    assert (archive / "r.csv").read_text().splitlines()[0] == (
        "file,start,end,abs_start,abs_end,rank,index,mid,label,score"
    )
    assert clocks((archive / "r.jsonl").read_text()) == CLOCKS
    database = sqlite3.connect(archive / "r.sqlite")
    rows = database.execute("SELECT file, abs_start, abs_end FROM tags ORDER BY file, start").fetchall()
    database.close()
    assert [list(row[1:]) for row in rows] == [times for name in sorted(CLOCKS) for times in CLOCKS[name]]
    for file in files[:-1]:
        assert run(["convert", file, "-o", f"{file}.jsonl"]) == 0
        assert clocks((archive / f"{file}.jsonl").read_text()) == CLOCKS


def test_parquet_has_the_columns(archive):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert tag("--timezone", "+02:00", "-o", "r.parquet") == 0

    table = parquet.read_table(io.BytesIO((archive / "r.parquet").read_bytes()))
    assert list(map(list, zip(table["abs_start"].to_pylist(), table["abs_end"].to_pylist(), strict=True))) == (
        [times for name in sorted(CLOCKS) for times in CLOCKS[name]]
    )


def test_wide_rows_have_them_too(archive):
    assert tag("--timezone", "+02:00", "--layout", "wide", "-o", "wide.csv") == 0
    assert run(["convert", "wide.csv", "-o", "r.jsonl"]) == 0
    assert clocks((archive / "r.jsonl").read_text()) == CLOCKS


def test_files_are_made_again_without_the_audio(archive):
    assert tag("--timezone", "+02:00", "-o", "r.jsonl") == 0
    before = (archive / "r.jsonl").read_bytes()
    (archive / "r.jsonl").unlink()
    (archive / "in/SM4_20240501_053000.wav").unlink()

    assert tag("--timezone", "+02:00", "-o", "r.jsonl") == 0
    assert (archive / "r.jsonl").read_bytes() == before


def test_another_zone_makes_other_results(archive, capfd):
    assert tag("-o", "r.jsonl") == 0
    assert tag("--timezone", "+02:00", "-o", "r.jsonl") == 1
    assert "--timezone was UTC and is now +02:00" in capfd.readouterr().err


def test_a_start_time_is_of_one_recording(archive, capfd):
    one = ["tag", "-m", "micro", "-k", "1", "-q", "-f", "jsonl", "--start-time", "2024-05-01T05:30:00Z"]

    assert run([*one, "in/walk.wav"]) == 0
    assert clocks(capfd.readouterr().out) == {
        "in/walk.wav": [["2024-05-01T05:30:00.000+00:00", "2024-05-01T05:30:03.000+00:00"]]
    }
    assert run([*one, "in"]) == 2
    assert "is that of one recording" in capfd.readouterr().err
