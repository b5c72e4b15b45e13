"""What an archive is promised, from the command line to the rows."""

from __future__ import annotations

import csv
import io
import json
import os
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.archive import ODD_NAMES, StubScorer, stub_tagger, write_recording
from tests.bad_audio import recordings

QUIET = ["--no-progress", "-q"]


@pytest.fixture(autouse=True)
def scorer(monkeypatch, tmp_path) -> StubScorer:
    monkeypatch.chdir(tmp_path)
    return StubScorer()


@pytest.fixture
def load_tagger(scorer):
    return stub_tagger(scorer)


def strict(text: bytes) -> dict:
    """A JSON document that holds nothing but what the standard allows."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_every_bad_and_odd_recording_is_one_record_and_stops_nothing(cedtag, scorer):
    pytest.importorskip("av")
    Path("bad").mkdir()
    promised = {}
    for name, (make, outcome) in recordings().items():
        path = Path("bad", name)
        path.write_bytes(make())
        promised[str(path)] = outcome.partition(": ")[0]
    command = [*promised, *QUIET, "-o", "all.json", "--errors", "errors.jsonl", "--summary", "summary.json"]

    done = cedtag(*command)

    assert done.code == 3
    assert "Traceback" not in done.stderr
    assert {r["file"]: r["status"] for r in strict(Path("all.json").read_bytes())["recordings"]} == promised
    errors = [strict(line) for line in Path("errors.jsonl").read_bytes().splitlines()]
    assert {error["path"] for error in errors} == {path for path, outcome in promised.items() if outcome != "ok"}
    assert all(error["error"] for error in errors)
    summary = strict(Path("summary.json").read_bytes())
    assert [summary[name] for name in ("found", "skipped")] == [len(promised), 0]

    made = Path("all.json").read_bytes()
    scorer.names.clear()
    assert (cedtag(*command).code, Path("all.json").read_bytes(), scorer.names) == (3, made, [])


def test_bad_recordings_stop_no_others_in_any_order(cedtag):
    rng = np.random.default_rng(0)
    for name in ("good.wav", "cut.wav", "other.wav"):
        write_recording(Path(name), rng)
    os.truncate("cut.wav", Path("cut.wav").stat().st_size - 400)
    Path("text.wav").write_text("no audio\n")
    wanted = {"good.wav": "ok", "cut.wav": "partial", "text.wav": "failed", "other.wav": "ok"}
    alone = {name: cedtag(name, *QUIET, "-f", "csv").stdout.split(b"\n", 1)[1] for name in wanted}
    for order in permutations(wanted):
        assert cedtag(*order, *QUIET, "-o", "all.json", "-o", "all.csv", "--overwrite").code == 3
        document = strict(Path("all.json").read_bytes())
        assert [(r["file"], r["status"]) for r in document["recordings"]] == [(name, wanted[name]) for name in order]
        rows = Path("all.csv").read_bytes().split(b"\n", 1)[1]
        assert rows == b"".join(alone[name] for name in order)
    assert cedtag("good.wav", "other.wav", *QUIET).code == 0


def test_any_name_and_any_sample_give_valid_output(cedtag):
    names = [os.fsdecode(b"tree/" + name + b".wav") for name in ODD_NAMES]
    Path("tree").mkdir()
    samples = np.full(16_000, 0.1, np.float32)
    samples[[5, 6, 7]] = np.nan, np.inf, -np.inf
    for name in names:
        with Path(name).open("wb") as out:
            soundfile.write(out, samples, 16_000, format="WAV", subtype="FLOAT")
    assert cedtag("tree", "-q", "-o", "all.json", "-o", "all.csv", "-o", "all.tsv", "-o", "all.jsonl").code == 3
    found = sorted(names, key=os.fsencode)
    assert [r["file"] for r in strict(Path("all.json").read_bytes())["recordings"]] == found
    lines = [strict(line) for line in Path("all.jsonl").read_bytes().splitlines()]
    assert [line["file"] for line in lines if "tags" in line] == found
    for suffix, delimiter in (("csv", ","), ("tsv", "\t")):
        text = Path(f"all.{suffix}").read_bytes().decode("utf-8", "surrogateescape")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
        assert [row["file"] for row in rows if row["rank"] == "1"] == found
        assert all(0 <= float(row["score"]) <= 1 for row in rows)
    shown = cedtag("tree", "-f", "table")
    assert all(char.isprintable() or char == "\n" for char in shown.stdout.decode() + shown.stderr)
