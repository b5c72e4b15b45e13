"""`cedtag similar`: what sounds like a clip, with the model of the store, or without one for a place in the store."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import soundfile

pytest.importorskip("pyarrow")

import shutil
from typing import TYPE_CHECKING

from cedtag.cli import run
from cedtag.tagger import Tagger
from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from pathlib import Path

WINDOWS = ["-w", "1", "--no-progress", "-q", "-m", CHECKPOINT]


def noise(seconds: int, seed: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(seconds * 16_000)


def tone(seconds: int, hz: float) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(seconds * 16_000) / 16_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Recordings in `tree/`, a store of their windows of a second, and clips; made once."""
    folder = tmp_path_factory.mktemp("similar")
    recordings = {
        "tree/noise.wav": noise(3, 1),
        "tree/low.wav": np.concatenate([tone(2, 200), noise(1, 2)]),
        "tree/a#b@c.wav": tone(2, 3000),
        "clips/hiss.wav": noise(1, 3),
        "clips/whistle.wav": tone(1, 3000),
    }
    for name, samples in recordings.items():
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, samples, 16_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["tree", *map(str, WINDOWS), "--store", "store"]) == 0
    return folder


@pytest.fixture
def archive(made, tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with all of it."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "archive"))
    return tmp_path / "archive"


def found(finished) -> list[tuple[str, str, str]]:
    """Recording, start and similarity of each row."""
    assert finished.code == 0, finished.stderr
    rows = csv.DictReader(io.StringIO(finished.stdout.decode()))
    return [(row["file"], row["start"], row["similarity"]) for row in rows]


def test_a_recording_of_the_archive_is_most_like_itself(archive, cedtag):
    rows = found(cedtag("similar", "tree/noise.wav", "store", "-f", "csv", "-k", "3"))
    assert {row[:2] for row in rows} == {("tree/noise.wav", start) for start in ("0.000", "1.000", "2.000")}
    assert {row[2] for row in rows} == {"1.0000"}


def test_every_window_of_every_example_counts_and_the_nearest_is_named(archive, cedtag):
    finished = cedtag("similar", "clips", "store", "-f", "jsonl", "-k", "8")
    rows = [json.loads(line) for line in finished.lines]
    assert len(rows) == 8
    assert [row["similarity"] for row in rows] == sorted((row["similarity"] for row in rows), reverse=True)
    nearest = {(row["file"], row["start"]): row["example"] for row in rows}
    assert nearest["tree/a#b@c.wav", 0.0] == "clips/whistle.wav"
    assert nearest["tree/low.wav", 2.0] == "clips/hiss.wav"


def test_a_place_in_the_store_needs_no_model_and_is_not_found_again(archive, cedtag):
    rows = found(cedtag("similar", "store#tree/noise.wav@1.9", "-f", "csv", "--base", "nowhere", "-k", "2"))
    assert ("tree/noise.wav", "1.000") not in {row[:2] for row in rows}
    assert rows == found(cedtag("similar", "./store#tree/noise.wav@1.5", "store/", "-f", "csv", "-k", "2"))


def test_names_with_signs_of_places_in_them_are_found(archive, cedtag):
    rows = found(cedtag("similar", "store#tree/a#b@c.wav@0.2", "-f", "csv", "-k", "1"))
    assert rows[0][:2] == ("tree/a#b@c.wav", "1.000")


def test_diverse_shows_the_best_window_of_each_recording(archive, cedtag):
    rows = found(cedtag("similar", "clips/hiss.wav", "store", "--diverse", "-f", "csv"))
    assert sorted(row[0] for row in rows) == ["tree/a#b@c.wav", "tree/low.wav", "tree/noise.wav"]


def test_what_is_nearer_to_another_example_is_left_out(archive, cedtag):
    rows = found(cedtag("similar", "clips/hiss.wav", "--not", "clips/whistle.wav", "store", "-f", "csv"))
    assert "tree/a#b@c.wav" not in {row[0] for row in rows}
    assert {row[0] for row in rows} >= {"tree/noise.wav"}


def test_windows_are_cut_out_as_clips(archive, cedtag):
    finished = cedtag("similar", "clips/hiss.wav", "store", "-k", "2", "-o", "rows.csv", "--clips", "cut")
    assert finished.code == 0
    table = list(csv.DictReader((archive / "cut" / "clips.csv").read_text().splitlines()))
    assert len(table) == 2
    assert all(soundfile.info(archive / "cut" / row["clip"]).duration == 1.0 for row in table)
    assert len((archive / "rows.csv").read_text().splitlines()) == 3
    again = cedtag("similar", "clips/hiss.wav", "store", "-o", "rows.csv")
    assert (again.code, "this file exists; use --overwrite" in again.stderr) == (1, True)


def test_a_clip_that_cannot_be_heard_is_named_and_the_others_are_used(archive, cedtag):
    (archive / "clips" / "broken.wav").write_text("this is no audio")
    finished = cedtag("similar", "clips", "store", "-f", "csv")
    assert finished.code == 3
    assert "failed: clips/broken.wav" in finished.stderr
    assert len(finished.lines) == 9
    alone = cedtag("similar", "clips/broken.wav", "store")
    assert (alone.code, alone.stdout) == (3, b"")
    assert "no example could be heard" in alone.stderr


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("clips/hiss.wav store --base demo", "store: holds embeddings of"),
        ("store", "name an example and a store: cedtag similar CLIP STORE"),
        ("clips/hiss.wav tree", "tree: there is no store here"),
        ("store#tree/noise.wav@9", "store: tree/noise.wav has no window at 9 s"),
        ("store#tree/owl.wav@1", "store: holds no recording tree/owl.wav"),
        ("store#tree/noise.wav", "write STORE#RECORDING@SECOND, such as store#owl.wav@12.5"),
        ("clips/hiss.wav store -o rows.txt", "rows.txt: this suffix stands for no format here"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_sentence(line, sentence, archive, cedtag):
    finished = cedtag("similar", *line.split())
    assert finished.code in (1, 2)
    assert finished.stderr.startswith("cedtag: ")
    assert sentence in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert finished.stdout == b""


def test_a_store_without_embeddings_is_refused(archive, cedtag):
    assert cedtag("tree", *WINDOWS, "--store", "bare", "--no-embeddings").code == 0
    finished = cedtag("similar", "clips/hiss.wav", "bare")
    assert finished.code == 2
    assert "bare: holds no embeddings; tag again into a new store, without --no-embeddings" in finished.stderr


def test_the_model_is_loaded_once_for_all_examples(archive, cedtag, monkeypatch):
    loaded = []
    load = Tagger.load
    monkeypatch.setattr(Tagger, "load", lambda *args, **options: loaded.append(args) or load(*args, **options))
    found(cedtag("similar", "clips/whistle.wav", "--not", "clips/hiss.wav", "store", "-f", "csv"))
    assert len(loaded) == 1
