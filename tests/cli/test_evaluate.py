"""`cedtag evaluate`: reports, thresholds that `-t` reads, pictures, and a sentence for what cannot be evaluated."""

from __future__ import annotations

import csv
import json
import re
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.micro import CHECKPOINT

pytest.importorskip("sklearn")

if TYPE_CHECKING:
    from pathlib import Path


ROWS = """file,start,end,rank,index,mid,label,score
a.wav,0.000,10.000,1,0,,Rain,0.9000
a.wav,0.000,10.000,2,1,,Wind,0.2000
b.wav,0.000,10.000,1,0,,Rain,0.6000
b.wav,0.000,10.000,2,1,,Wind,0.5000
c.wav,0.000,10.000,1,1,,Wind,0.8000
c.wav,0.000,10.000,2,0,,Rain,0.3000
"""
DATA = "file,labels,fold\na.wav,Rain,1\nb.wav,Rain,1\nc.wav,Wind,2\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with three recordings of noise, a manifest and rows."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.wav", "c.wav"):
        soundfile.write(tmp_path / name, 0.1 * rng.standard_normal(16_000), 16_000)
    (tmp_path / "data.csv").write_text(DATA, encoding="utf-8")
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def test_the_table_says_all_measures_and_every_class(cedtag, data: Path) -> None:
    done = cedtag("evaluate", "--scores", "rows.csv", "data.csv", "--bootstrap", 0)
    assert done.code == 0
    assert done.stdout.decode() == (
        "3 clips, 2 classes\n"
        "\n"
        "                        value  95 % interval\n"
        "mAP                     1.000\n"
        "mAP micro               1.000\n"
        "lwlrap                  1.000\n"
        "accuracy                1.000\n"
        "accuracy among present  1.000\n"
        "\n"
        "class  clips     AP    AUC      d'  threshold     F1\n"
        "Rain       2  1.000  1.000  11.231      0.450  1.000\n"
        "Wind       1  1.000  1.000  11.231      0.650  1.000\n"
    )


def test_json_and_csv_hold_the_same_numbers(cedtag, data: Path) -> None:
    document = json.loads(cedtag("evaluate", "--scores", "rows.csv", "data.csv", "-f", "json").stdout)
    assert document["schema"] == "cedtag-evaluation/1"
    assert document["clips"] == 3
    assert document["measures"]["mAP"] == {"value": 1, "low": 1, "high": 1}
    assert [one["label"] for one in document["classes"]] == ["Rain", "Wind"]
    assert document["classes"][0]["mid"] == "/m/06mb1"
    written = cedtag("evaluate", "--scores", "rows.csv", "data.csv", "-o", "deep/out.csv")
    assert written.stdout == b""
    assert re.fullmatch(r"cedtag: deep/out\.csv: \d+ clips\n", written.stderr)
    with (data / "deep/out.csv").open(newline="") as file:
        found = {(row["measure"], row["label"]): float(row["value"]) for row in csv.DictReader(file)}
    assert found["mAP", ""] == document["measures"]["mAP"]["value"]
    for one in document["classes"]:
        assert found["threshold", one["label"]] == one["threshold"]


def test_thresholds_are_what_tagging_reads(cedtag, data: Path) -> None:
    assert cedtag("evaluate", "--scores", "rows.csv", "data.csv", "--thresholds", "t.csv").code == 0
    tagged = cedtag("a.wav", "-f", "csv", "-k", 0, "-t", "@t.csv")
    assert tagged.code == 0
    assert tagged.stdout == cedtag("a.wav", "-f", "csv", "-k", 0, "-t", "Rain=0.45", "-t", "Wind=0.65").stdout


def test_a_model_is_evaluated_on_the_folds_that_were_named(cedtag, data: Path) -> None:
    done = cedtag("evaluate", "data.csv", "--fold", 1, "--fold", 2, "-f", "json", "-m", CHECKPOINT)
    assert done.code == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["clips"], document["model"], document["folds"]) == (3, str(CHECKPOINT), ["1", "2"])
    assert len(document["classes"]) == 527
    assert sum(one["ap"] is not None for one in document["classes"]) == 2


def test_scores_of_rows_equal_scores_of_the_model_that_wrote_them(cedtag, data: Path) -> None:
    (data / "all.jsonl").write_bytes(cedtag("a.wav", "b.wav", "c.wav", "-f", "jsonl", "-k", 0, "-t", 0).stdout)
    from_rows = json.loads(cedtag("evaluate", "data.csv", "--scores", "all.jsonl", "-f", "json").stdout)
    from_model = json.loads(cedtag("evaluate", "data.csv", "-f", "json").stdout)
    assert from_rows["notes"] == []
    # Written scores are rounded, so that ties can differ in lists that run over all classes.
    assert from_rows["measures"]["accuracy among present"] == from_model["measures"]["accuracy among present"]
    assert from_rows["measures"]["mAP"]["value"] == pytest.approx(from_model["measures"]["mAP"]["value"], abs=1e-3)


@pytest.mark.parametrize("options", [("--precision", "int8"), ("--backend", "onnx")])
def test_the_backend_and_precision_that_people_run_can_be_evaluated(
    cedtag, data: Path, options: tuple[str, ...]
) -> None:
    pytest.importorskip("onnxruntime")
    done = cedtag("evaluate", "data.csv", "-f", "json", "--thresholds", "t.csv", *options)
    assert done.code == 0, done.stderr
    document = json.loads(done.stdout)
    precision = "int8" if "int8" in options else "fp32"
    assert {name: document[name] for name in ("backend", "device", "precision")} == {
        "backend": "onnx",
        "device": "cpu",
        "precision": precision,
    }
    (data / "all.jsonl").write_bytes(
        cedtag("a.wav", "b.wav", "c.wav", "-f", "jsonl", "-k", 0, "-t", 0, *options).stdout
    )
    from_rows = json.loads(cedtag("evaluate", "data.csv", "--scores", "all.jsonl", "-f", "json").stdout)
    thresholds = {one["label"]: one["threshold"] for one in document["classes"] if one["positives"]}
    assert thresholds == pytest.approx(
        {one["label"]: one["threshold"] for one in from_rows["classes"] if one["positives"]}, abs=1e-4
    )
    by_torch = json.loads(cedtag("evaluate", "data.csv", "-f", "json").stdout)
    assert (by_torch["backend"], by_torch["precision"]) == ("torch", "fp32")
    torch_thresholds = {one["label"]: one["threshold"] for one in by_torch["classes"] if one["positives"]}
    assert (torch_thresholds != pytest.approx(thresholds, abs=1e-5)) == (precision == "int8")


@pytest.mark.parametrize("labels", [("Rain", "Rain"), ("", ""), ("Rain", ""), ("Rain",)])
@pytest.mark.parametrize("results", [("--scores", "rows.csv"), ()])
def test_classes_without_positives_or_negatives_give_no_warning(
    cedtag, data: Path, labels: tuple[str, ...], results: tuple[str, ...]
) -> None:
    pytest.importorskip("matplotlib")
    rows = "".join(f"{name}.wav,{label}\n" for name, label in zip("ab", labels, strict=False))
    (data / "few.csv").write_text("file,labels\n" + rows, encoding="utf-8")
    done = cedtag("evaluate", "few.csv", *results, "--bootstrap", 20, "--plot", "p.png", "--thresholds", "t.csv")
    assert (done.code, done.stderr) == (0, f"cedtag: t.csv, p.png: {len(labels)} clips\n")
    assert b"nan" not in done.stdout
    assert (done.stdout.decode().splitlines()[3].split()[:2] != ["mAP", "-"]) == (len(set(labels)) == 2)


WRITTEN = {
    "all.csv": (),
    "all.tsv": ("--bom",),
    "wide.csv": ("--layout", "wide"),
    "wide.tsv": ("--layout", "wide", "--bom"),
    "all.json": (),
    "all.jsonl": (),
    "folder": ("-f", "csv"),
    "deep/folder": ("-f", "jsonl"),
}


def test_scores_are_read_from_all_files_that_can_be_read_back(cedtag, data: Path) -> None:
    tagging = ["a.wav", "b.wav", "c.wav", "-q", "-k", 0, "-t", 0]
    for place, more in WRITTEN.items():
        assert cedtag(*tagging, "-o", place, *more).code == 0
    (data / "alone.tsv").write_bytes(cedtag(*tagging, "-f", "tsv").stdout)  # with no journal beside it
    documents = {
        place: json.loads(cedtag("evaluate", "data.csv", "--scores", place, "-f", "json", "--bootstrap", 0).stdout)
        for place in (*WRITTEN, "alone.tsv", "all.csv.journal")
    }
    for place, document in documents.items():
        assert document.pop("scores") == place
        assert document == documents["all.csv"]


def test_results_that_cannot_be_read_back_are_refused_with_the_formats_that_can(cedtag, data: Path) -> None:
    tagging = ["a.wav", "b.wav", "-q", "-k", 0, "-t", 0]
    cedtag(*tagging, "-o", "each.csv", "--layout", "file")
    cedtag(*tagging, "-o", "rows.spreadsheet.csv")
    cedtag(*tagging, "-o", "rows.sqlite")
    cedtag(*tagging, "--events", "-o", "events.jsonl")
    (data / "empty").mkdir()
    for place, sentence in {
        "each.csv": "holds a row per recording (--layout file), which cannot be read back; csv and tsv (long or wide)",
        "rows.spreadsheet.csv": "is no header of cedtag's rows",
        "rows.sqlite": "these are no results that can be read back (csv, tsv, jsonl, json, journal)",
        "events.jsonl": "holds events; an evaluation needs the scores of windows",
        "empty": "holds no results that can be read back (csv, tsv, jsonl, json, journal)",
    }.items():
        done = cedtag("evaluate", "data.csv", "--scores", place)
        assert (done.code, done.stdout, done.stderr.count("\n")) == (2, b"", 1)
        assert sentence in done.stderr


def test_rows_of_each_channel_count_by_the_best_which_is_noted(cedtag, data: Path) -> None:
    header, *lines = ROWS.splitlines()
    windows = [lines[place : place + 2] for place in range(0, len(lines), 2)]
    rows = [f"{line},{channel}" for window in windows for channel in (1, 2) for line in window]
    rows[0] = rows[0].replace("0.9000", "0.2100")
    (data / "each.csv").write_text("\n".join([header + ",channel", *rows, ""]), encoding="utf-8")
    document = json.loads(cedtag("evaluate", "data.csv", "--scores", "each.csv", "-f", "json").stdout)
    assert (
        "the rows are those of each channel by itself; a clip has the highest score of any channel"
        in (document["notes"])
    )
    plain = json.loads(cedtag("evaluate", "data.csv", "--scores", "rows.csv", "-f", "json").stdout)
    assert (document["measures"], document["classes"]) == (plain["measures"], plain["classes"])


def test_no_file_of_a_folder_of_results_is_written_over(cedtag, data: Path) -> None:
    assert cedtag("a.wav", "-q", "-o", "folder", "-f", "csv", "-k", 0, "-t", 0).code == 0
    done = cedtag("evaluate", "data.csv", "--scores", "folder", "-o", "folder/a.wav.csv", "--overwrite")
    assert done.code == 2
    assert "folder/a.wav.csv: this is an input" in done.stderr


FAULTS = """a.wav,Rain,,
cut.wav,Wind,0,0.4
broken.wav,Wind,,
cut.wav,Rain,0.3,0.8
cut.wav,Rain,,
b.wav,Rain,0.95,1
c.wav,Dog,2,3
"""


@pytest.fixture
def faulty(data: Path) -> Path:
    """The same folder with `faulty.csv`, of whose recordings one is cut and one broken."""
    whole = (data / "b.wav").read_bytes()
    (data / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (data / "broken.wav").write_bytes(b"RIFF nothing")
    (data / "faulty.csv").write_text("file,labels,start,end\n" + FAULTS, encoding="utf-8")
    (data / "sound.csv").write_text("file,labels,start,end\n" + "".join(FAULTS.splitlines(True)[:2]), encoding="utf-8")
    return data


def test_broken_recordings_cost_their_clips_alone_and_are_said_and_counted(cedtag, faulty: Path) -> None:
    done = cedtag("evaluate", "faulty.csv", "-f", "json", "--bootstrap", 20)
    assert done.code == 3
    lines = done.stderr.splitlines()
    assert lines[:2] == [
        "cedtag: partial: cut.wav: is cut off: 15978 of 32000 bytes of audio are there",
        "cedtag: left out: cut.wav: the clip from 0.3 s to 0.8 s is cut; 0.499 s of the recording were decoded "
        "(and 1 more clips of it)",
    ]
    assert lines[2].startswith("cedtag: failed: broken.wav: is no audio that cedtag knows")
    assert lines[3:] == [
        "cedtag: left out: b.wav: 0.05 s of audio from second 0.95 on; a clip must last one patch, 0.16 s",
        "cedtag: left out: c.wav: the clip from 2 s on is empty; 1 s of the recording were decoded",
        "cedtag: faulty.csv: 3 recordings done, 1 partial, 1 failed; 5 clips left out",
    ]
    document = json.loads(done.stdout)
    assert document["clips"] == 2
    assert document["recordings"] == {"done": 3, "partial": 1, "failed": 1, "clips_left_out": 5}
    assert document["notes"] == [
        "recordings: 3 done, 1 partial, 1 failed; clips left out: 5 of 7",
        "Dog: no clip with this label is left",
    ]
    sound = json.loads(cedtag("evaluate", "sound.csv", "-f", "json", "--bootstrap", 20).stdout)
    assert (document["measures"], document["classes"]) == (sound["measures"], sound["classes"])
    quiet = cedtag("evaluate", "faulty.csv", "-q", "--bootstrap", 0)
    assert quiet.stderr.splitlines() == lines[:-1]
    assert "note: recordings: 3 done, 1 partial, 1 failed; clips left out: 5 of 7\n" in quiet.stdout.decode()


def test_fail_fast_stops_at_the_first_recording_that_fails_or_clip_that_is_cut(cedtag, faulty: Path) -> None:
    for rows, sentence in (
        ("a.wav,Rain\nbroken.wav,Wind\n", "cedtag: failed: broken.wav: is no audio that cedtag knows, but text"),
        (
            "a.wav,Rain\ncut.wav,Wind\n",
            "cedtag: cut.wav: the clip from 0 s to the end is cut; 0.499 s of the recording",
        ),
    ):
        (faulty / "two.csv").write_text("file,labels\n" + rows, encoding="utf-8")
        done = cedtag("evaluate", "two.csv", "--fail-fast")
        assert (done.code, done.stdout, done.stderr.count("\n")) == (3, b"", 1)
        assert done.stderr.startswith(sentence)
        assert done.stderr.endswith("; --keep-going leaves it out\n")


def test_data_without_any_clip_that_can_be_used_is_an_error(cedtag, faulty: Path) -> None:
    (faulty / "none.csv").write_text("file,labels\nbroken.wav,Rain\n", encoding="utf-8")
    done = cedtag("evaluate", "none.csv", "-o", "report.json")
    assert done.code == 3
    assert done.stderr.splitlines()[1:] == ["cedtag: no clip of the data can be used; mend or replace the recordings"]
    assert not (faulty / "report.json").exists()


def test_a_clip_that_should_end_after_its_whole_recording_is_warned_about(cedtag, data: Path) -> None:
    (data / "late.csv").write_text("file,labels,start,end\na.wav,Rain,0,10\nb.wav,Wind,0,1.05\n", encoding="utf-8")
    done = cedtag("evaluate", "late.csv", "--bootstrap", 0)
    assert (done.code, done.stderr) == (
        0,
        "cedtag: warning: a.wav: the clip from 0 s on should end after the recording does, at 1 s\n",
    )


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_picture_is_drawn_in_the_format_of_its_name(cedtag, data: Path, suffix: str, start: bytes) -> None:
    pytest.importorskip("matplotlib")
    assert cedtag("evaluate", "--scores", "rows.csv", "data.csv", "--plot", f"p.{suffix}").code == 0
    assert (data / f"p.{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("none.csv",), 2, "none.csv: no such folder or manifest"),
        (("data.csv", "--fold", "7"), 2, "fold 7: no example is in it (folds of the data: 1, 2)"),
        (("data.csv", "--scores", "none"), 2, "none: cannot be read"),
        (("data.csv", "--scores", "data.csv"), 2, "data.csv: line 1: this is no header of cedtag's rows"),
        (("data.csv", "--plot", "p.doc"), 2, "--plot p.doc: the name must end in .png, .svg, .pdf"),
        (
            ("segments.csv",),
            2,
            "segments.csv: names YouTube clips, not files; name the folder that they are in with --audio",
        ),
        (("own.csv",), 2, "the data has labels that the model has not (1 of them): no label is called 'quux'"),
        (("data.csv", "--scores", "rows.csv", "-o", "data.csv/x"), 1, "data.csv/.x.part: cannot write results there"),
    ],
)
def test_what_cannot_be_evaluated_is_a_sentence(
    cedtag, data: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    (data / "own.csv").write_text("file,labels\na.wav,quux\n", encoding="utf-8")
    (data / "segments.csv").write_text('# YTID\n--4gqARaEJE, 0.000, 10.000, "/m/06mb1"\n', encoding="utf-8")
    done = cedtag("evaluate", *arguments)
    assert (done.code, done.stdout) == (code, b"")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_scikit_learn_the_sentence_says_what_to_install(
    cedtag, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    done = cedtag("evaluate", "--scores", "rows.csv", "data.csv")
    assert done.code == 1
    assert "scikit-learn" in done.stderr.partition(" -m pip install ")[2]
