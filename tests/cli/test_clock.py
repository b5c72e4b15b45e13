"""Times on the recorder's clock in rows, from the run, after a resume, and through conversions."""

from __future__ import annotations

import io
import json
import os
import sqlite3
from zlib import crc32

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
        if "tags" not in row:  # the head, and outcomes
            continue
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


def test_what_is_doubtful_about_a_start_time_is_a_warning_on_its_recording(archive, capfd):
    (archive / "in/walk.wav").rename(archive / "in/20241027_023000.wav")
    command = ["tag", "in", "-m", "micro", "-k", "1", "--start-time", "name", "--timezone", "Europe/Berlin"]

    assert run([*command, "-o", "r.json", "-o", "r.csv"]) == 0
    assert "warning: in/20241027_023000.wav: its start, 2024-10-27 02:30:00, occurs twice" in capfd.readouterr().err
    recordings = json.loads((archive / "r.json").read_text())["recordings"]
    assert [len(recording["warnings"]) for recording in recordings] == [1, 0]
    assert run(["events", "in", *command[2:], "-o", "e.json"]) == 0
    assert [len(each["warnings"]) for each in json.loads((archive / "e.json").read_text())["recordings"]] == [1, 0]


def test_recordings_without_a_start_time_are_counted_once(archive, capfd):
    soundfile.write(archive / "in/talk.wav", np.zeros(16_000), 16_000)
    command = ["tag", "in", "-m", "micro", "-k", "1", "-o", "r.csv"]

    assert run([*command, "--start-time", "auto"]) == 0
    said = capfd.readouterr().err
    assert said.count("no start time for 2 of 3 recordings: neither their metadata nor their names hold one") == 1
    assert said.count("no start time") == 1
    assert run([*command, "--start-time", "auto"]) == 0  # nothing is done again
    assert "no start time" not in capfd.readouterr().err
    assert run([*command, "--overwrite"]) == 0
    assert "no start time" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--start-time", "0001-01-01"], "--start-time 0001-01-01: the year must be from 1800 to 2200"),
        (["--start-time", "9999-12-31T23:59:59+00:00"], "the year must be from 1800 to 2200"),
        (["--start-time", "1e999"], "--start-time 1e999: write auto"),
        (["--start-time", "auto", "--timezone", ""], '--timezone "": no such zone'),
        (["--start-time", "auto", "--timezone", "/etc/localtime"], "--timezone /etc/localtime: no such zone"),
        (["--start-time", "auto", "--timezone", "+15"], "offsets go from -12:00 to +14:00"),
    ],
)
def test_start_times_and_zones_out_of_range_are_refused_at_the_start(archive, capfd, options, said):
    assert run(["tag", "in/walk.wav", "-m", "micro", *options]) == 2
    assert said in capfd.readouterr().err


def test_a_name_that_ends_in_a_running_number_does_not_stop_the_archive(archive, capfd):
    (archive / "in/walk.wav").rename(archive / "in/20240501_060000-2042.wav")

    assert tag("-f", "jsonl") == 0
    assert clocks(capfd.readouterr().out)["in/20240501_060000-2042.wav"][0][0] == "2024-05-01T06:00:00.000+00:00"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00.000+00:00", "9999-12-31T23:59:59.000-12:00", "soon"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_rows_with_impossible_clock_times_are_refused_with_their_place(archive, capfd, time, kind):
    assert tag("-o", f"r.{kind}") == 0
    rows = (archive / f"r.{kind}").read_text().replace("2024-05-01T05:30:00.000+00:00", time)
    (archive / f"r.{kind}").write_text(rows)

    for command in (["convert", f"r.{kind}", "-o", "new.tsv"], ["report", f"r.{kind}", "-o", "new.html"]):
        assert run(command) == 2
        assert f"r.{kind}: " in capfd.readouterr().err


def test_a_journal_with_an_impossible_start_time_is_refused(archive, capfd):
    assert tag("-o", "r.csv") == 0
    journal = archive / "r.csv.journal"
    old = journal.read_bytes()
    body = b'"began":"2024-05-01T05:30:00+00:00"'
    start = old.index(b'{"row"')
    lines = []
    rows = b""
    for line in old[start:].replace(body, b'"began":"9999-12-31T23:59:59+00:00"').splitlines(keepends=True):
        if line.startswith(b'{"row"'):
            rows += line
        elif line.startswith(b'{"end"'):
            end = line.rpartition(b',"crc":')[0]
            line = b'%b,"crc":%d}\n' % (end, crc32(end, crc32(rows)))
            rows = b""
        lines.append(line)
    journal.write_bytes(old[:start] + b"".join(lines))

    assert run(["convert", "r.csv.journal", "-o", "new.csv"]) == 2
    assert "does not hold what cedtag writes there" in capfd.readouterr().err


def test_file_times_that_moved_by_an_hour_do_not_make_all_be_done_again(archive, capfd):
    command = ["tag", "in", "-m", "micro", "-k", "1", "-o", "r.csv", "--summary", "s.json", "-v"]
    assert run(command) == 0
    capfd.readouterr()
    for file in (archive / "in").iterdir():
        status = file.stat()
        os.utime(file, (status.st_atime, status.st_mtime + 3600))

    assert run(command) == 0
    assert json.loads((archive / "s.json").read_text())["already_done"] == 2
    assert capfd.readouterr().err.count("by exactly one hour") == 1
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 3601 * 10**9))
    assert run(command) == 0
    assert json.loads((archive / "s.json").read_text())["already_done"] == 1
