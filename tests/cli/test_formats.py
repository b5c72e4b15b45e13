"""One pass over the audio writes every format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cedtag.cli import run
from cedtag.writers import WRITERS, suffix_of
from tests.micro import micro_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

PICTURES = ("pdf", "png", "svg")
FORMATS = [name for name in WRITERS if name not in (*PICTURES, "parquet", "camtrap-dp")]
ONE = ["audacity", "eaf", "edl", "otio", "srt", "textgrid", "vtt"]
TIMELINE = ("--frame-rate", "29.97df")


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    micro_checkpoint(tmp_path / "micro")
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / "in" / name, 0.1 * rng.standard_normal(50_001), 16_000)
    return tmp_path


def tag(*options: str) -> int:
    return run(["tag", *options, *TIMELINE, "-m", "micro", "-w", "2", "-k", "2", "-q"])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".journal")
    }


def test_a_folder_gets_every_format_of_every_recording(archive):
    formats = [word for name in FORMATS for word in ("-f", name)]
    assert tag("in", *formats, "-o", "out/") == 0
    assert set(contents(archive / "out")) == {
        f"{recording}{suffix_of(name)}" for recording in ("a.wav", "b.wav") for name in FORMATS
    }


def test_files_of_every_format_are_what_convert_makes_of_the_rows(archive):
    files = [f"all{suffix_of(name)}" for name in FORMATS]

    def options(folder: str) -> list[str]:
        return [
            word for name, file in zip(FORMATS, files, strict=True) for word in ("-f", name, "-o", f"{folder}/{file}")
        ]

    assert tag("in/a.wav", *options("run")) == 0
    journal = next((archive / "run").glob("*.journal"))
    assert run(["convert", str(journal), *TIMELINE, *options("journal")]) == 0
    assert contents(archive / "journal") == contents(archive / "run")
    assert run(["convert", "run/all.jsonl", *TIMELINE, *options("rows")]) == 0
    same = [file for file in files if not file.endswith((".json", ".sqlite"))]  # those hold the settings
    assert {file: contents(archive / "rows")[file] for file in same} == {
        file: contents(archive / "run")[file] for file in same
    }


def test_every_format_goes_on_where_a_run_was(archive):
    options = [word for name in FORMATS if name not in ONE for word in ("-f", name, "-o", f"r/all{suffix_of(name)}")]
    assert tag("in", *options) == 0
    whole = contents(archive / "r")
    for path in (archive / "r").iterdir():
        path.unlink()
    (archive / "in/b.wav").rename(archive / "b.wav")
    assert tag("in", *options) == 0
    (archive / "b.wav").rename(archive / "in/b.wav")
    assert tag("in", *options) == 0

    assert contents(archive / "r") == whole


@pytest.mark.parametrize("name", ONE)
def test_a_second_recording_is_refused_before_it_is_scored(archive, name, capfd):
    assert tag("in", "-f", name, "-o", f"labels{suffix_of(name)}") == 2
    assert tag("in", "-f", name) == 2
    assert capfd.readouterr().err.count("cedtag: in/b.wav: this format holds one recording a file") == 2
    assert tag("in/a.wav", "-f", name, "-o", f"one{suffix_of(name)}") == 0


@pytest.mark.parametrize("command", [["tag", "in/a.wav", "-m", "micro"], ["convert", "rows.json"]])
@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("edl", (), "the frames per second of the timeline: name it with --frame-rate"),
        ("otio", (), "the frames per second of the timeline: name it with --frame-rate"),
        ("camtrap-dp", (), "the position of the recorder: name it with --position"),
        ("camtrap-dp", ("--position", "52"), "--position 52: write latitude and longitude in degrees"),
        ("camtrap-dp", ("--position", "91,0"), "--position 91,0: write latitude and longitude in degrees"),
        ("camtrap-dp", ("--position", "nan,0"), "--position nan,0: write latitude and longitude in degrees"),
        ("camtrap-dp", ("--position", "52,13"), "start times"),
    ],
)
def test_what_a_format_needs_is_asked_for_before_anything_is_done(archive, command, name, options, sentence, capfd):
    assert tag("in/a.wav", "-o", "rows.json") == 0
    capfd.readouterr()
    assert run([*command, "-f", name, "-o", f"out{suffix_of(name)}", *options]) == 2
    assert sentence in capfd.readouterr().err
    assert not list(archive.glob("out*"))


def test_a_camtrap_package_of_a_survey_is_what_convert_makes_of_its_rows(archive):
    for number, name in enumerate(("a", "b")):
        (archive / f"in/{name}.wav").rename(archive / f"in/20240501_05300{number}.wav")
    place = ["--position", "52.5,13.4", "-o"]
    assert (
        tag("in", "--start-time", "name", "--position", "52.5,13.4", "-o", "r/a.camtrap-dp.zip", "-o", "r/a.json") == 0
    )
    assert run(["convert", "r/a.json", *place, "c.camtrap-dp.zip"]) == 0
    assert (archive / "c.camtrap-dp.zip").read_bytes() == (archive / "r/a.camtrap-dp.zip").read_bytes()


def test_another_frame_rate_makes_the_file_anew_and_scores_nothing(archive):
    def edl(rate: str) -> bytes:
        options = ["-m", "micro", "-o", "a.edl", "--frame-rate", rate, "--summary", "counts.json"]
        assert run(["tag", "in/a.wav", *options]) == 0
        return (archive / "a.edl").read_bytes()

    assert b"FCM: NON-DROP FRAME" in edl("25")
    assert b"FCM: DROP FRAME" in edl("29.97df")
    summary = json.loads((archive / "counts.json").read_text())
    assert (summary["already_done"], summary["windows"]) == (1, 0)


@pytest.mark.parametrize(("suffix", "layout"), [("csv", "long"), ("tsv", "wide"), ("csv", "file")])
def test_a_byte_order_mark_is_all_that_bom_adds(archive, suffix, layout):
    for name, more in {"plain": [], "marked": ["--bom"]}.items():
        assert tag("in", "-o", f"{name}.{suffix}", "--layout", layout, *more) == 0
    assert (archive / f"marked.{suffix}").read_bytes() == b"\xef\xbb\xbf" + (archive / f"plain.{suffix}").read_bytes()


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_tables_with_a_byte_order_mark_are_read_back(archive, layout):
    assert tag("in", "-o", "marked.csv", "--bom", "--layout", layout) == 0
    assert tag("in", "-o", "plain.csv", "--layout", layout) == 0
    for name in ("marked", "plain"):
        assert run(["convert", f"{name}.csv", "-o", f"{name}.jsonl"]) == 0
        assert run(["events", f"{name}.csv", "-o", f"{name}.events.tsv", "--bom"]) == 0
    assert (archive / "marked.jsonl").read_bytes() == (archive / "plain.jsonl").read_bytes()
    assert (archive / "marked.events.tsv").read_bytes() == (archive / "plain.events.tsv").read_bytes()
    assert (archive / "marked.events.tsv").read_bytes().startswith(b"\xef\xbb\xbffile\t")


def test_json_beside_a_marked_table_has_no_mark(archive):
    assert tag("in", "-o", "rows.csv", "-o", "rows.json", "--bom") == 0
    assert (archive / "rows.json").read_bytes().startswith(b"{")


def test_bom_without_a_table_is_refused(archive, capfd):
    assert tag("in", "-o", "rows.json", "--bom") == 2
    assert "--bom is a mark at the beginning of csv and tsv" in capfd.readouterr().err
