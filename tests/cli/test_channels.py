"""Rows of every channel, of one, and of their mix."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from typing import Any

import numpy as np
import pytest
import soundfile

from cedtag.results.read import read_results
from tests.sounds import bursts

WINDOWS = ("-w", "1", "--hop", "0.5", "-k", "3", "-t", "0", "-b", "4", "-q")


@pytest.fixture
def stereo(tmp_path, monkeypatch):
    """A folder to stand in, with recordings of two channels, of one and of three."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name, channels in (("a.wav", 2), ("b.flac", 1), ("c.wav", 3)):
        frames = bursts(4.3, 22_050, channels) + 0.05 * np.random.default_rng(3).standard_normal((94_815, channels))
        soundfile.write(f"in/{name}", np.clip(frames, -1, 1), 22_050)
    return tmp_path


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_rows_of_each_channel_are_those_of_that_channel_alone(cedtag, stereo, layout):
    each = table(cedtag("in/a.wav", *WINDOWS, "-f", "csv", "--layout", layout, "--channel", "each").stdout)
    assert each
    assert list(each[0])[:4] == ["file", "start", "end", "channel"]
    for number in ("1", "2"):
        alone = table(cedtag("in/a.wav", *WINDOWS, "-f", "csv", "--layout", layout, "--channel", number).stdout)
        of_channel = [row for row in each if row.pop("channel", number) == number]
        each = [row for row in each if row not in of_channel]
        assert of_channel == alone
    assert each == []


def test_without_the_option_nothing_changes(cedtag, stereo):
    for form in ("csv", "jsonl", "json"):
        plain = cedtag("in", *WINDOWS, "-f", form)
        assert plain.stdout == cedtag("in", *WINDOWS, "-f", form, "--channel", "mix").stdout
        assert b"channel" not in plain.stdout


FORMATS = ("csv", "tsv", "jsonl", "json")


@pytest.mark.parametrize("events", [False, True])
def test_every_format_reads_back_what_it_was_given(cedtag, stereo, events):
    options = [*WINDOWS, "--channel", "each", *(["--events", "--onset", "0.3"] if events else [])]
    assert cedtag("in", *options, *(word for form in FORMATS for word in ("-o", f"r.{form}"))).code == 0
    found = []
    for form in FORMATS:
        _, results = read_results(stereo / f"r.{form}")
        rows = [result for result in results if hasattr(result, "channel")]
        found.append([row.to_dict() for row in rows])
        assert {(row.source.name, row.channel) for row in rows} == {
            *(("in/a.wav", 1), ("in/a.wav", 2), ("in/b.flac", 1), ("in/c.wav", 1), ("in/c.wav", 2), ("in/c.wav", 3))
        }
    assert all(other == found[0] for other in found)


def test_databases_editors_and_diarisation_have_the_channel(cedtag, stereo):
    parquet = pytest.importorskip("pyarrow.parquet")
    names = ("r.parquet", "r.sqlite", "r.selections.txt", "r.rttm", "r.csv")
    assert cedtag("in", *WINDOWS, "--channel", "each", *(word for name in names for word in ("-o", name))).code == 0
    expected = [int(row["channel"]) for row in table((stereo / "r.csv").read_bytes())]
    assert parquet.read_table("r.parquet")["channel"].to_pylist() == expected
    with closing(sqlite3.connect("r.sqlite")) as database:
        assert [row[0] for row in database.execute("SELECT channel FROM tags")] == expected
    raven = csv.DictReader((stereo / "r.selections.txt").read_text().splitlines(), delimiter="\t")
    assert [int(row["Channel"]) for row in raven] == expected
    assert [int(line.split()[2]) for line in (stereo / "r.rttm").read_text().splitlines()] == expected


def events_of(lines: list[str]) -> list[dict[str, Any]]:
    """The lines that are events, by channel."""
    found = [json.loads(line) for line in lines if '"peak"' in line]
    return sorted(found, key=lambda event: int(event.get("channel", 0)))


def test_events_of_each_channel_are_those_of_that_channel_alone(cedtag, stereo):
    options = ("in/a.wav", *WINDOWS, "-f", "jsonl", "--events", "--onset", "0.3", "--channel")
    each = events_of(cedtag(*options, "each").lines)
    alone = [event | {"channel": n} for n in (1, 2) for event in events_of(cedtag(*options, n).lines)]
    assert each == alone
    assert {event["channel"] for event in each} == {1, 2}
    assert cedtag("in/a.wav", *WINDOWS, "-k", "0", "-t", "0", "--channel", "each", "-o", "r.jsonl").code == 0
    from_rows = cedtag("events", "r.jsonl", "--onset", "0.3", "-f", "jsonl").lines
    assert events_of(from_rows) == events_of(cedtag(*options, "each", "-k", "0").lines)


def test_a_run_goes_on_with_the_same_channel_alone(cedtag, stereo):
    assert cedtag("in/a.wav", *WINDOWS, "--channel", "each", "-o", "r.csv").code == 0
    first = (stereo / "r.csv").read_bytes()
    assert cedtag("in", *WINDOWS, "--channel", "each", "-o", "r.csv").code == 0
    assert (stereo / "r.csv").read_bytes().startswith(first)
    other = cedtag("in", *WINDOWS, "--channel", "1", "-o", "r.csv")
    assert other.code in (1, 2)
    assert "`channel` was each and is now 1" in other.stderr or "--channel was each and is now 1" in other.stderr


def test_batches_and_threads_change_no_row(cedtag, stereo):
    expected = cedtag("in", *WINDOWS, "--channel", "each", "-f", "csv").stdout
    assert cedtag("in", *WINDOWS, "--channel", "each", "-f", "csv", "-j", "1", "--threads", "1").stdout == expected


@pytest.mark.parametrize("form", ["textgrid", "srt", "audacity", "dcase", "birdnet"])
def test_formats_without_a_channel_are_refused_before_the_work(cedtag, stereo, form):
    done = cedtag("in/a.wav", *WINDOWS, "--channel", "each", "-f", form)
    assert (done.code, done.stdout) == (2, b"")
    assert "has no place for the channel of a row" in done.stderr
    assert cedtag("in/a.wav", *WINDOWS, "--channel", "each", "-o", "r.jsonl").code == 0
    assert cedtag("convert", "r.jsonl", "-f", form).code == 2


def test_a_channel_that_some_recordings_lack_costs_these(cedtag, stereo):
    done = cedtag("in", *WINDOWS, "--channel", "2", "-f", "csv")
    assert done.code == 3
    assert {row["file"] for row in table(done.stdout)} == {"in/a.wav", "in/c.wav"}
    assert "in/b.flac: has 1 channel, and no channel 2" in done.stderr


def test_v_and_json_name_what_was_taken(cedtag, stereo):
    options = [option for option in WINDOWS if option != "-q"]
    said = "in/a.wav: scored channel 2 of 2"
    assert said not in cedtag("in/a.wav", *options, "--channel", "2", "-f", "csv").stderr
    assert said in cedtag("in/a.wav", *options, "--channel", "2", "-f", "csv", "-v").stderr
    document = json.loads(cedtag("in/a.wav", *options, "--channel", "2", "-f", "json").stdout)
    assert document["settings"]["channel"] == "2"
    assert document["recordings"][0]["warnings"] == ["scored channel 2 of 2"]
