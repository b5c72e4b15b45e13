"""`--layout file`: one row per recording."""

from __future__ import annotations

import csv
import io
import json

import pytest

HEAD = (
    '{"schema": "cedtag/1", "version": "0", "settings": {"threshold": 0.2, "top-k": %d}, '
    '"classes": [[0, "/m/1", "Dog"], [1, "/m/2", "Cat, purring"], [2, "", "Cow"]]}'
)
TAG = '{"index": %d, "mid": "%s", "label": "%s", "score": %s}'
DOG, CAT = TAG % (0, "/m/1", "Dog", "0.%d"), TAG % (1, "/m/2", "Cat, purring", "0.9")
WINDOW = '{"file": "%s", "start": %s, "end": %s, "tags": [%s]}'
ROWS = [
    WINDOW % ("in/a.wav", "0.0", "2.0", DOG % 5),
    WINDOW % ("in/a.wav", "1.0", "3.0", DOG % 7 + ", " + CAT),
    WINDOW % ("in/a.wav", "2.0", "4.0", ""),
    WINDOW % ("in/a.wav", "5.5", "6.25", DOG % 1 + ", " + CAT),
    '{"file": "in/a.wav", "status": "partial", "duration": 6.25, "problems": ["is cut off"], "warnings": []}',
    '{"file": "in/b.wav", "status": "failed", "stage": "open", "error": "in/b.wav: no such file"}',
    WINDOW % ("in/c.wav", "0.0", "1.0", ""),
    '{"file": "in/c.wav", "status": "ok", "duration": 1.0, "problems": [], "warnings": []}',
]


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("\n".join([HEAD % 0, *ROWS]) + "\n")
    return tmp_path


def test_a_row_has_the_best_score_of_a_class_and_its_seconds_once(cedtag, rows):
    done = cedtag("convert", "rows.jsonl", "--layout", "file", "-f", "csv")
    assert done.stdout.decode() == (
        'file,status,duration,Dog,Dog (s),"Cat, purring","Cat, purring (s)",Cow,Cow (s)\n'
        "in/a.wav,partial,6.250,0.7000,3.000,0.9000,2.750,,\n"
        "in/b.wav,failed,,,,,,,\n"
        "in/c.wav,ok,1.000,,,,,,\n"
    )
    assert done.stderr == ""


def test_json_has_the_classes_of_each_recording_best_first(cedtag, rows):
    document = json.loads(cedtag("convert", "rows.jsonl", "--layout", "file", "-f", "json").stdout)
    lines = cedtag("convert", "rows.jsonl", "--layout", "file", "-f", "jsonl").objects
    assert document["recordings"] == lines
    assert lines[0]["classes"] == [
        {"index": 1, "mid": "/m/2", "label": "Cat, purring", "best": 0.9, "seconds": 2.75},
        {"index": 0, "mid": "/m/1", "label": "Dog", "best": 0.7, "seconds": 3.0},
    ]
    assert [line["status"] for line in lines] == ["partial", "failed", "ok"]
    assert lines[0]["problems"] == ["is cut off"]


def test_events_count_with_their_lengths(cedtag, rows):
    done = cedtag("events", "rows.jsonl", "--onset", "0.6", "--layout", "file", "-f", "csv")
    (row, *_) = csv.DictReader(io.StringIO(done.stdout.decode()))
    events = cedtag("events", "rows.jsonl", "--onset", "0.6", "-f", "jsonl").rows
    dogs = [event for event in events if event["label"] == "Dog"]
    assert float(row["Dog (s)"]) == sum(event["end"] - event["start"] for event in dogs) > 0
    assert float(row["Dog"]) == max(event["peak"] for event in dogs)


def test_such_rows_are_not_taken_for_results(cedtag, rows):
    for name in ("a.json", "a.jsonl", "a.csv"):
        assert cedtag("convert", "rows.jsonl", "--layout", "file", "-o", name).code == 0
        done = cedtag("convert", name, "-f", "csv")
        assert (done.code, done.stdout) == (2, b"")
    assert cedtag("convert", "a.json", "-f", "csv").stderr.startswith("cedtag: a.json: holds one row per recording")


def test_a_run_with_the_best_tags_alone_is_warned_about(cedtag, rows):
    (rows / "five.jsonl").write_text("\n".join([HEAD % 5, *ROWS]) + "\n")
    done = cedtag("convert", "five.jsonl", "--layout", "file", "-f", "csv")
    assert done.code == 0
    assert "five.jsonl: its run kept the 5 best tags of a window" in done.stderr


def test_a_table_alone_has_no_rows_for_silent_recordings_and_is_refused(cedtag, rows):
    assert cedtag("convert", "rows.jsonl", "-o", "bare.csv").code == 0
    done = cedtag("convert", "bare.csv", "--layout", "file", "-f", "csv")
    assert done.code == 2
    assert (
        "does not hold how long its recordings are and how they ended, which a row per recording needs" in done.stderr
    )


@pytest.mark.parametrize("name", ["raven", "parquet", "table", "srt"])
def test_other_formats_have_no_such_layout(cedtag, rows, name):
    done = cedtag("convert", "rows.jsonl", "--layout", "file", "-f", name)
    assert done.code == 2
    assert done.stderr.startswith("cedtag: --layout file is one of csv, tsv, spreadsheet, json and jsonl")


def test_a_run_writes_what_convert_makes_of_its_rows_and_all_tags_count(cedtag, sounds):
    assert cedtag("sounds", "-w", "2", "-o", "file.csv", "--layout", "file", "-o", "file.json").code == 0
    assert cedtag("sounds", "-w", "2", "-k", "0", "-o", "rows.jsonl").code == 0
    assert (
        cedtag("convert", "rows.jsonl", "--layout", "file", "-f", "csv").stdout
        == (sounds.parent / "file.csv").read_bytes()
    )
    assert len((sounds.parent / "file.csv").read_text().splitlines()) == 5
    assert cedtag("sounds", "-w", "2", "-o", "folder/", "-f", "csv", "--layout", "file").code == 0
    assert len(list((sounds.parent / "folder").rglob("*.csv"))) == 4


def test_another_layout_needs_no_scoring(cedtag, sounds):
    assert cedtag("sounds", "-w", "2", "-k", "0", "-o", "a.csv").code == 0
    again = cedtag("sounds", "-w", "2", "-k", "0", "-o", "a.csv", "--layout", "file")
    assert again.code == 0
    assert "4 recordings done earlier" in again.stderr
    assert (sounds.parent / "a.csv").read_text().startswith("file,status,duration,")


def test_a_document_of_another_program_is_refused_with_a_sentence(cedtag, rows):
    (rows / "tasks.json").write_text("[]")
    done = cedtag("convert", "tasks.json", "-f", "csv")
    assert (done.code, done.stderr) == (2, "cedtag: tasks.json: this is no document of results that cedtag wrote\n")
