from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors import safe_open

from cedtag.bench import measure as measuring
from cedtag.bench import products
from cedtag.bench.cases import first_row_s
from cedtag.bench.corpus import write_recording
from cedtag.bench.measure import QUICK
from cedtag.bench.ways import Way
from tests.cli.test_without_torch import lite
from tests.micro import CHECKPOINT, micro_checkpoint

FP32, INT8 = ("torch fp32", "onnx fp32"), "onnx int8"


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Measurements of a moment, without processes of their own."""
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(measuring, "QUICK", replace(QUICK, case_s=0.01))
    monkeypatch.setattr(measuring, "_LEAST_WINDOWS", 2)
    monkeypatch.setattr(products, "_SECONDS", 0.01)
    monkeypatch.setattr(measuring, "first_row_s", lambda way, model, recording: 1.5)


def rows(screen: list[str], title: str) -> dict[str, list[float]]:
    """The numbers of a table of the screen, by way."""
    below = screen[next(place for place, line in enumerate(screen) if line.startswith(title)) + 1 :]
    matches = [re.fullmatch(r"([a-z]+ (?:fp32|bf16|int8)) +([\d. ]+)", line) for line in below]
    count = next((place for place, match in enumerate(matches) if match is None), len(matches))
    return {match[1]: [float(cell) for cell in match[2].split()] for match in matches[:count] if match}


def test_one_screen_shows_each_way_beside_its_limit(cedtag, at_once):
    done = cedtag("bench", "--quick")
    assert (done.code, done.stderr) == (0, "")
    assert max(len(line) for line in done.lines[3:] if not line.startswith("note")) <= 80
    assert len(done.lines) <= 24
    ms = rows([line for line in done.lines if not line.startswith("decoding")], "ms per 10 s")
    realtime, shares = rows(done.lines, "x realtime"), rows(done.lines, "% of the limit")
    assert {*FP32, INT8} <= set(ms) == set(realtime) == set(shares)
    for way, (limit, model, wav, mp3, start) in ms.items():
        assert start == 1.5
        assert realtime[way] == pytest.approx([1e4 / model, 1e4 / wav, 1e4 / mp3], rel=0.1, abs=1)
        assert limit > 0
        assert len(shares[way]) == 3
    (fastest,) = (line for line in done.lines if line.startswith("fastest  "))
    assert fastest.split(maxsplit=1)[1].startswith("cedtag FILES --backend ")


def test_json_holds_the_same_and_what_to_type_for_the_fastest(cedtag, at_once, sounds):
    done = cedtag("bench", "--quick", "--json", "sounds")
    found = json.loads(done.stdout)
    assert {"processor", "packages", "model", "notes", "decoding_ms", "ways", "fastest"} == set(found)
    assert found["model"] == str(CHECKPOINT)
    kinds = ("wav", "flac", "ogg")
    assert set(found["decoding_ms"]) == set(kinds)
    by_name = {way["name"]: way for way in found["ways"]}
    assert all(set(way["figures"]) == {"model", *kinds} for way in by_name.values())

    def of_files(name: str) -> float:
        return sum(by_name[name]["figures"][kind]["ms"] for kind in kinds)

    assert found["fastest"]["all"] == by_name[min(by_name, key=of_files)]["options"]
    assert found["fastest"]["fp32"] == by_name[min(FP32, key=of_files)]["options"]
    assert all(cedtag("sounds", *way["options"], "-f", "tsv").code == 0 for way in found["ways"])
    assert [path.name for path in Path().iterdir()] == ["sounds"]


def test_of_a_long_recording_a_part_is_measured(cedtag, at_once, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "long.wav", np.zeros(16_000 * 1800, np.int16), 16_000)
    scored = []
    run_archive = measuring.seconds_of_run
    monkeypatch.setattr(measuring, "seconds_of_run", lambda *args: scored.append(args[0].to_s) or run_archive(*args))
    assert cedtag("bench", "--quick", tmp_path / "long.wav").code == 0
    assert all(0 < part_s < 1800 for part_s in scored)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none", None, "no recordings there to measure with"),
        ("noise.wav", b"no sound at all", "none of these recordings can be read"),
    ],
)
def test_what_holds_no_audio_is_refused(cedtag, at_once, tmp_path, name, content, sentence):
    place = tmp_path / name
    place.mkdir() if content is None else place.write_bytes(content)
    done = cedtag("bench", "--quick", place)
    assert (done.code, done.stdout) == (2, b"")
    assert sentence in done.stderr


def test_a_recording_that_is_not_there_is_not_passed_over(cedtag, at_once, sounds):
    done = cedtag("bench", "--quick", "sounds/a.wav", "sounds/nosuch.wav")
    assert (done.code, done.stdout) == (2, b"")
    assert "sounds/nosuch.wav: cannot be opened" in done.stderr


def test_a_model_in_several_files_has_a_first_row(at_once, tmp_path, monkeypatch):
    folder = micro_checkpoint(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    with safe_open(folder / "part.safetensors", framework="numpy") as file:
        index = {"weight_map": dict.fromkeys(file.keys(), "part.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    recording = write_recording(tmp_path / "a.wav", 1)
    assert first_row_s(Way("onnx", "cpu", "fp32"), ["-m", str(folder)], recording) > 0


@pytest.mark.slow
def test_what_is_not_installed_is_left_out_and_named(tmp_path):
    pytest.importorskip("onnxruntime")
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000 * 12, np.int16), 16_000)
    done = lite("bench", "--quick", "-m", CHECKPOINT, tmp_path / "a.wav", packages="torch,torchaudio,av")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(rows(done.stdout.splitlines(), "% of the limit")) == {"onnx fp32", "onnx int8"}
    notes = [line for line in done.stdout.splitlines() if line.startswith("note: torch ")]
    assert [note.split()[2] for note in notes] == ["fp32:", "bf16:"]
    assert all("--backend torch needs torch, which is not installed: " in note for note in notes)


def test_files_that_are_not_there_are_refused_before_anything_is_measured(cedtag, monkeypatch):
    monkeypatch.setattr(measuring, "loaded", lambda checkpoint: pytest.fail("a model was loaded"))
    run = cedtag("bench", "nowhere.wav", "--quick")
    assert run.code == 2
    assert "nowhere.wav" in run.stderr
