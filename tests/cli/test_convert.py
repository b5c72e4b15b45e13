"""`cedtag convert` writes rows that exist as if the run had written them so."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from pathlib import Path

import pytest

from cedtag.cli import run
from cedtag.labels.table import Label
from cedtag.records import FileEnd, Source, Tag, TagResult
from cedtag.run.journal.open import open_journal
from cedtag.run.outputs.files import make_files
from cedtag.writers import format_of, writer_type
from cedtag.writers.run_info import RunInfo

SPEECH = Tag(0, "/m/09x0r", "Speech", 0.9123)
DOG = Tag(69, "/m/0bt9lr", "Dog", 0.25)
RUN = RunInfo({"model": "tiny"}, tuple(Label(tag.index, tag.mid, tag.label) for tag in (SPEECH, DOG)))


def recording(name: str) -> list[TagResult | FileEnd]:
    source = Source(name, name, name)
    return [
        TagResult(source, 0, 0, 160_000, (SPEECH, DOG)),
        TagResult(source, 1, 160_000, 240_000, (DOG,)),
        FileEnd(source, 240_000, 2),
    ]


RESULTS = [*recording("in/a.wav"), *recording("in/deep/b.wav")]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, layout: str = "long") -> Path:
    make_files({path: writer_type(format_of(path))}, RESULTS, RunInfo(RUN.settings, RUN.labels, layout))
    return path


@pytest.mark.parametrize("before", ["csv", "tsv", "jsonl", "json"])
@pytest.mark.parametrize("after", ["csv", "jsonl", "dcase.tsv", "birdnet.csv", "rttm", "selections.txt", "json"])
def test_a_file_is_what_the_run_would_have_written(here, before, after):
    write(here / f"r.{before}")
    if before in ("csv", "tsv"):
        journal(here / f"r.{before}.journal")

    assert run(["convert", f"r.{before}", "-o", f"new/r.{after}"]) == 0
    assert (here / f"new/r.{after}").read_bytes() == write(here / f"expected.{after}").read_bytes()


def journal(path: Path) -> None:
    """Write the journal of the run that gave the results."""
    written = open_journal(path, RUN)
    for result in RESULTS:
        written.add(result)
    written.close()


@pytest.mark.parametrize("after", ["json", "selections.txt", "psds.tsv", "sqlite"])
def test_a_table_by_itself_does_not_hold_what_some_formats_need(here, capfd, after):
    write(here / "r.csv")

    assert run(["convert", "r.csv", "-o", f"r.{after}"]) == 2
    assert "does not hold how long its recordings are" in capfd.readouterr().err
    assert not (here / f"r.{after}").exists()


def test_json_keeps_the_settings_that_the_journal_tells(here):
    journal(here / "r.csv.journal")

    assert run(["convert", "r.csv.journal", "-o", "r.json"]) == 0
    assert (here / "r.json").read_bytes() == write(here / "expected.json").read_bytes()


def test_wide_rows_have_the_columns_that_occur(here):
    write(here / "r.csv")

    assert run(["convert", "r.csv", "--layout", "wide", "-o", "wide.csv"]) == 0
    assert (here / "wide.csv").read_bytes() == write(here / "expected.csv", "wide").read_bytes()


def test_many_files_come_from_one_pass(here):
    write(here / "r.jsonl")

    assert run(["convert", "r.jsonl", "-o", "r.csv", "-o", "r.sqlite", "-o", "r.rttm"]) == 0
    assert (here / "r.csv").read_bytes() == write(here / "expected.csv").read_bytes()
    database = sqlite3.connect(here / "r.sqlite")
    assert database.execute("SELECT count(*) FROM tags").fetchone() == (6,)
    database.close()


def test_a_folder_gets_a_file_per_recording_and_format(here):
    write(here / "r.jsonl")

    assert run(["convert", "r.jsonl", "-f", "audacity", "-f", "textgrid", "-f", "srt", "-o", "labels/"]) == 0
    found = sorted(str(path.relative_to(here / "labels")) for path in (here / "labels").rglob("*.*"))
    assert found == [f"in/{name}.{suffix}" for name in ("a.wav", "deep/b.wav") for suffix in ("TextGrid", "srt", "txt")]
    assert (here / "labels/in/a.wav.txt").read_text().splitlines()[-1] == "10.000000\t15.000000\tDog 0.25"


def test_rows_go_through_a_pipe(here, monkeypatch, capfdbinary):
    rows = write(here / "r.jsonl").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows)))

    assert run(["convert", "-", "-f", "csv"]) == 0
    assert capfdbinary.readouterr().out == write(here / "expected.csv").read_bytes()


def test_results_of_several_files_follow_one_another(here):
    for name in ("in/a.wav", "in/deep/b.wav"):
        make_files({here / f"{name[-5]}.csv": writer_type("csv")}, recording(name), RUN)

    assert run(["convert", "a.csv", "b.csv", "-o", "both.csv"]) == 0
    assert (here / "both.csv").read_bytes() == write(here / "expected.csv").read_bytes()


def test_results_of_different_settings_are_refused(here, capfd):
    make_files({here / "a.json": writer_type("json")}, RESULTS, RUN)
    make_files({here / "b.json": writer_type("json")}, RESULTS, RunInfo({"model": "base"}, RUN.labels))

    assert run(["convert", "a.json", "b.json", "-o", "r.csv"]) == 2
    assert "different settings" in capfd.readouterr().err


def test_nothing_is_replaced_without_being_told(here, capfd):
    write(here / "r.jsonl")
    (here / "r.csv").write_text("mine")
    (here / "labels/in").mkdir(parents=True)
    (here / "labels/in/a.wav.srt").write_text("mine")

    assert run(["convert", "r.jsonl", "-o", "r.csv"]) == 1
    assert run(["convert", "r.jsonl", "-f", "srt", "-o", "labels/"]) == 1
    assert capfd.readouterr().err.splitlines() == [
        f"cedtag: {name}: this file exists; use --overwrite to replace it, or another --output"
        for name in ("r.csv", "labels/in/a.wav.srt")
    ]
    assert (here / "r.csv").read_text() == (here / "labels/in/a.wav.srt").read_text() == "mine"
    assert run(["convert", "r.jsonl", "-o", "r.csv", "--overwrite"]) == 0
    assert run(["convert", "r.jsonl", "-f", "srt", "-o", "labels/", "--overwrite"]) == 0


def test_a_format_of_one_recording_wants_a_folder(here, capfd):
    write(here / "r.jsonl")

    assert run(["convert", "r.jsonl", "-o", "r.TextGrid"]) == 2
    assert "a folder for --output" in capfd.readouterr().err
    assert not (here / "r.TextGrid").exists()


def test_a_file_of_a_folder_holds_its_own_recording_alone(cedtag, sounds):
    long = Path("sounds", "n" * 248 + ".wav")
    Path("sounds/a.wav").rename(long)
    assert cedtag("sounds", "-o", "out/", "-f", "csv", "-t", 1).code == 0  # no rows: the journal knows the recordings
    for path in Path("out").rglob("*.csv"):
        (recording,) = json.loads(cedtag("convert", path, "-f", "json").stdout)["recordings"]
        assert recording["duration"] > 0
        assert Path(recording["file"]).name.startswith(path.name[:5])


def test_the_journal_of_a_folder_says_nothing_of_other_tables_in_it(cedtag, sounds):
    assert cedtag("sounds/c.ogg", "-o", "out/", "-f", "csv").code == 0
    Path("out/mine").mkdir()
    assert cedtag("sounds/c.ogg", "-f", "csv", "-o", "mine.csv").code == 0
    Path("mine.csv").rename("out/mine/rows.csv")
    done = cedtag("convert", "out/mine/rows.csv", "-f", "csv")
    assert (done.code, done.stdout) == (0, Path("out/mine/rows.csv").read_bytes())
