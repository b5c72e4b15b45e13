"""Results that are narrowed have the bytes of a run with the same options, or are refused."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from cedtag.cli import run
from cedtag.labels.table import audioset
from tests.micro import micro_checkpoint
from tests.report.test_page import data_of

LABELS = [one.name for one in audioset()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rows of two recordings with all classes from a score of 0.2 on, and other rows of them."""
    folder = tmp_path_factory.mktemp("narrow")
    micro_checkpoint(folder / "micro")
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.wav"):
        soundfile.write(folder / name, 0.1 * rng.standard_normal(50_001), 16_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, options in {
            "all": ["-k", "0", "-t", "0.2"],
            "five": ["-k", "5", "-t", "0.2"],
            "dogs": ["-k", "0", "-t", "0.2", "--labels", "Dog", "--labels", "Cat"],
            "level": ["-k", "0", "-t", "0.2", "--level", "1"],
            "specific": ["-k", "0", "-t", "0.2", "--most-specific"],
        }.items():
            outputs = [word for suffix in ("csv", "json") for word in ("-o", f"{name}.{suffix}")]
            assert run(["tag", "a.wav", "b.wav", "-m", "micro", "-w", "2", *options, *outputs, "-q"]) == 0
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


NARROWING = [
    ["-t", "0.4"],
    ["-k", "3"],
    ["-t", "0.3", "-t", "Dog=0.6", "-k", "7"],
    ["--labels", "Dog", "--labels", "Music"],
    ["--labels", "/m/0bt9lr"],
    ["--exclude", "Speech", "--exclude", "5"],
    ["--level", "1"],
    ["--level", "2", "-t", "0.5", "-k", "4"],
    ["--labels", "Animal", "--group"],
    ["--labels", "Alarm", "--exclude", "Siren", "--group", "-k", "2"],
    ["--where", "Dog > 0.3 and not Cat > 0.9"],
    ["--where", "Dog < 0.2 or Music >= 0.2", "-t", "0.3"],
]


@pytest.mark.parametrize("options", NARROWING, ids=" ".join)
@pytest.mark.parametrize("rows", ["all.json", "all.csv", "all.csv.journal"])
def test_convert_makes_what_the_run_would_have_made(here, tmp_path, options, rows):
    whole = ["-k", "0"] if "-k" not in options else []
    whole += ["-t", "0.2"] if "-t" not in options else []
    again = ["tag", "a.wav", "b.wav", "-m", "micro", "-w", "2", *whole, *options]
    assert run([*again, "-o", f"{tmp_path}/run.json", "-o", f"{tmp_path}/run.csv", "-q"]) == 0
    assert run(["convert", rows, *options, "-o", f"{tmp_path}/rows.json", "-o", f"{tmp_path}/rows.csv"]) == 0
    for suffix in ("csv", "json"):
        assert (tmp_path / f"rows.{suffix}").read_bytes() == (tmp_path / f"run.{suffix}").read_bytes()


def test_events_of_narrowed_rows_are_those_of_a_run(here, tmp_path):
    options = ["--labels", "Animal", "--group", "--onset", "0.9", "--offset", "0.4"]
    assert run(["events", "a.wav", "-m", "micro", "-w", "2", *options, "-o", f"{tmp_path}/run.csv", "-q"]) == 0
    assert run(["events", "all.csv", *options, "-o", f"{tmp_path}/rows.csv"]) == 0
    of_a = [line for line in (tmp_path / "rows.csv").read_text().splitlines() if not line.startswith("b.wav")]
    assert of_a == (tmp_path / "run.csv").read_text().splitlines()
    assert len(of_a) > 2


def test_events_can_be_narrowed_to_classes_alone(here, tmp_path, capfd):
    assert run(["events", "all.csv", "-o", f"{tmp_path}/events.csv"]) == 0
    assert run(["convert", f"{tmp_path}/events.csv", "--labels", "Dog", "-f", "csv"]) == 0
    wanted = [line for line in (tmp_path / "events.csv").read_text().splitlines() if ",Dog," in line]
    assert capfd.readouterr().out.splitlines()[1:] == wanted
    assert run(["convert", f"{tmp_path}/events.csv", "-t", "0.9", "-f", "csv"]) == 2
    assert "of events only classes can be chosen" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("rows", "options", "sentence"),
    [
        ("all", ["-t", "0.1"], "--threshold: its run kept scores of Speech from 0.2 on"),
        ("all", ["-t", "0.3", "-t", "Dog=0.1"], "--threshold: its run kept scores of Dog from 0.2 on"),
        ("all", ["--where", "Dog > 0.1"], "--where: its run kept scores from 0.2 on, and 0.1 is below"),
        ("five", ["-k", "6"], "--top-k: its run kept the 5 best tags"),
        ("five", ["-k", "0"], "--top-k: its run kept the 5 best tags"),
        ("five", ["--where", "Dog > 0.5"], "--where: its run kept the 5 best tags"),
        ("dogs", ["--level", "1"], "--group: its run left classes out"),
        ("dogs", ["--group", "--labels", "Animal"], "--group: its run left classes out"),
        ("dogs", ["--labels", "Music"], "'Music'"),
        ("level", ["--level", "2"], "--level: its rows are groups already"),
        ("specific", ["--labels", "Dog"], "--labels: its run left out tags with a descendant"),
    ],
)
@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_what_the_rows_lack_is_refused(here, tmp_path, capfd, rows, options, sentence, suffix):
    assert run(["convert", f"{rows}.{suffix}", *options, "-o", f"{tmp_path}/out.csv"]) == 2
    error = capfd.readouterr().err
    assert sentence in error
    assert not (tmp_path / "out.csv").exists()


def test_a_class_that_the_number_of_tags_may_have_cut_off_is_warned_about(here, capfd):
    assert run(["convert", "five.csv", "--labels", "Dog", "-f", "csv"]) == 0
    assert capfd.readouterr().err.count("a.wav: its run kept the 5 best tags of a window") == 1
    assert run(["convert", "five.csv", "-t", "0.9", "-k", "2", "-f", "csv"]) == 0
    assert capfd.readouterr().err == ""


def test_a_table_alone_can_be_narrowed_by_classes_and_scores(here, tmp_path, capfd):
    (tmp_path / "bare.csv").write_bytes((here / "all.csv").read_bytes())
    assert run(["convert", f"{tmp_path}/bare.csv", "--labels", "Dog", "-t", "0.5", "-f", "csv"]) == 0
    lines = [line.split(",") for line in (here / "all.csv").read_text().splitlines() if ",Dog," in line]
    wanted = [line for line in lines if float(line[-1]) >= 0.5]
    found = [line.split(",") for line in capfd.readouterr().out.splitlines()[1:]]
    assert [(line[0], line[1], line[-1]) for line in found] == [(line[0], line[1], line[-1]) for line in wanted]
    assert run(["convert", f"{tmp_path}/bare.csv", "--where", "Dog > 0.5", "-f", "csv"]) == 2
    assert "--where: from which score on its run kept tags is not known" in capfd.readouterr().err


def test_a_page_of_some_classes(here, tmp_path):
    assert run(["report", "all.csv", "--labels", "Dog", "-o", f"{tmp_path}/page.html"]) == 0
    assert data_of((tmp_path / "page.html").read_text())["classes"] == ["Dog"]
