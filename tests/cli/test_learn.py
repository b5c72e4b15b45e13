"""`cedtag learn`: a class from a few clips, which a checkpoint and a store score alike, and what to label next."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import soundfile

pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")
pytest.importorskip("torch")

import shutil
from typing import TYPE_CHECKING

from cedtag.cli import run
from cedtag.inputs.window_settings import WindowSettings
from cedtag.scoring.embedding_head import read_head
from cedtag.store import open_store
from cedtag.tagger import Tagger
from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from pathlib import Path

WINDOWS = ["-w", "1", "--no-progress", "-q", "-m", CHECKPOINT]


def whistle(rng: np.random.Generator, seconds: int = 1) -> np.ndarray:
    times = np.arange(seconds * 16_000) / 16_000
    return 0.3 * np.sin(2 * np.pi * rng.uniform(2500, 3500) * times) + 0.01 * rng.standard_normal(len(times))


def hiss(rng: np.random.Generator, seconds: int = 1) -> np.ndarray:
    return rng.uniform(0.02, 0.2) * rng.standard_normal(seconds * 16_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Clips in `yes/` and `no/`, recordings of both sounds in `tree/`, and a store of these; made once."""
    folder, rng = tmp_path_factory.mktemp("learn"), np.random.default_rng(5)
    sounds = {f"yes/{n}.wav": whistle(rng) for n in range(5)} | {f"no/{n}.wav": hiss(rng) for n in range(6)}
    sounds |= {f"tree/{n}.wav": np.concatenate([whistle(rng), hiss(rng, 2)]) for n in range(4)}
    for name, samples in sounds.items():
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


def learn(cedtag, *args: object):
    return cedtag("learn", "store", *args)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_checkpoint_and_the_head_on_the_store_give_one_score(archive, cedtag):
    finished = learn(cedtag, "yes", "no", "-o", "piping")
    assert finished.code == 0, finished.stderr
    assert "learned from 5 clips that are yes and 6 that are no" in finished.stderr
    head = read_head(archive / "piping")
    blocks = list(open_store(archive / "store").blocks())
    stored = np.concatenate([head.probabilities(block.embeddings) for block in blocks])
    tagger = Tagger.from_pretrained(str(archive / "piping"))
    scored = [tagger.scores(f"tree/{n}.wav", windows=WindowSettings(1.0)).scores[:, -1] for n in range(4)]
    np.testing.assert_allclose(np.sort(stored), np.sort(np.concatenate(scored)), rtol=0, atol=2e-3)  # float16
    assert tagger.labels[-1].name == "piping"
    assert len(tagger.labels) == 528
    assert (stored > 0.5).sum() == 4


def test_the_classes_of_the_old_model_keep_their_scores(archive, cedtag):
    assert learn(cedtag, "yes", "no", "-o", "piping").code == 0
    line = ["tree/1.wav", "-k", "0", "-t", "0", "-f", "csv", "--layout", "wide"]
    before, after = cedtag(*line, *WINDOWS), cedtag(*line, "-w", "1", "-q", "-m", "piping", "--exclude", "piping")
    assert before.code == after.code == 0
    assert after.stdout == before.stdout


def test_only_makes_a_model_of_the_class_alone(archive, cedtag):
    assert learn(cedtag, "yes", "no", "-o", "mine", "--only", "--name", "Whistle, high").code == 0
    assert cedtag("labels", "-m", "mine").lines == ["index\tmid\tname", "0\t\tWhistle, high"]
    best = cedtag("tree/2.wav", "-w", "1", "-m", "mine", "-t", "0.5", "-f", "csv", "-q")
    assert [line.split(",")[1] for line in best.lines[1:]] == ["0.000"]


def test_suggestions_are_filled_in_and_learned_from_again_and_again(archive, cedtag):
    finished = learn(cedtag, "yes", "no", "-o", "piping", "--suggest", "3")
    first = archive / "piping" / "suggested-1" / "labels.csv"
    assert "piping/suggested-1/labels.csv: fill in yes or no" in finished.stderr
    suggested = rows(first)
    assert len({row["recording"] for row in suggested}) == 3  # each of another recording
    assert all((first.parent / row["clip"]).is_file() and row["label"] == "" for row in suggested)
    suggested[0]["label"] = "yes" if float(suggested[0]["start"]) == 0 else "no"
    with first.open("w", newline="") as out:
        writer = csv.DictWriter(out, suggested[0])
        writer.writeheader()
        writer.writerows(suggested)
    again = learn(cedtag, "yes", "no", first, "-o", "piping", "--overwrite", "--suggest", "12")
    assert again.code == 0, again.stderr
    assert "2 rows of the files of labels have no label yet" in again.stderr
    new = {(row["recording"], row["start"]) for row in rows(archive / "piping" / "suggested-2" / "labels.csv")}
    assert len(new) == 11  # all but the one that has an answer
    assert (suggested[0]["recording"], suggested[0]["start"]) not in new


def test_a_file_of_labels_alone_is_enough(archive, cedtag):
    lines = [
        "recording,start,end,label",
        *(f"tree/{n}.wav,{s},{s + 1},{'yes' if s == 0 else 'no'}" for n in range(3) for s in range(3)),
    ]
    (archive / "labels.csv").write_text("\n".join(lines) + "\n")
    finished = learn(cedtag, "labels.csv", "-o", "piping")
    assert "learned from 3 clips that are yes and 6 that are no" in finished.stderr
    assert "by cross-validation over clips it found 3 of 3 (95 %: 44% to 100%)" in finished.stderr


def test_quality_that_cannot_be_measured_is_not_claimed(archive, cedtag):
    for file in [*sorted((archive / "yes").iterdir())[1:]]:
        file.unlink()
    finished = learn(cedtag, "yes", "no", "-o", "piping")
    assert finished.code == 0
    assert "its quality was not measured" in finished.stderr


def test_the_card_says_what_was_learned_and_how_good_it_is(archive, cedtag):
    learn(cedtag, "yes", "no", "-o", "piping")
    card = (archive / "piping" / "README.md").read_text()
    assert "with one class more" in card
    assert "By cross-validation it found" in card
    assert json.loads((archive / "piping" / "head.json").read_text())["class"]["name"] == "piping"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("yes -o mine", "no example is no, and a class is learned from both"),
        ("yes no tree -o mine", "tree: is a third folder"),
        ("yes no absent.csv -o mine", "absent.csv: cannot be read"),
        ("yes notes.txt -o mine", "notes.txt: name folders of clips"),
        ("yes no -o mine --name Speech", "has a class of this name; choose another"),
        ("yes no -o mine --base demo", "store: holds embeddings of"),
        ("yes empty -o mine", "no example could be heard"),
        ("bad.csv -o mine", "bad.csv, line 2: the label is 'maybe'; write yes or no"),
        ("twice.csv -o mine", "the same window is yes and no; correct one"),
        ("header.csv -o mine", "header.csv: the first line must name the columns"),
    ],
)
def test_what_cannot_be_learned_from_is_said_in_a_sentence(line, sentence, archive, cedtag):
    (archive / "empty").mkdir()
    (archive / "bad.csv").write_text("clip,label\nyes/1.wav,maybe\n")
    (archive / "twice.csv").write_text("recording,start,end,label\ntree/1.wav,0,1,yes\ntree/1.wav,0,1,no\n")
    (archive / "header.csv").write_text("file,answer\n")
    finished = learn(cedtag, *line.split())
    assert finished.code in (1, 2, 3)
    assert sentence in finished.stderr
    assert finished.stderr.startswith("cedtag: ")
    assert not (archive / "mine").exists()


def test_a_clip_that_cannot_be_heard_is_named_and_left_out(archive, cedtag):
    (archive / "no" / "broken.wav").write_text("this is no audio")
    finished = learn(cedtag, "yes", "no", "-o", "piping")
    assert finished.code == 3
    assert "failed: no/broken.wav" in finished.stderr
    assert "5 clips that are yes and 6 that are no" in finished.stderr


def test_an_empty_store_can_be_learned_on_and_suggests_nothing(archive, cedtag):
    (archive / "text").mkdir()
    (archive / "text" / "broken.wav").write_text("this is no audio")
    assert cedtag("text", *WINDOWS, "--store", "empty").code == 3
    finished = cedtag("learn", "empty", "yes", "no", "-o", "piping")
    assert finished.code == 0, finished.stderr
    suggesting = cedtag("learn", "empty", "yes", "no", "-o", "piping", "--overwrite", "--suggest", "2")
    assert (suggesting.code, "empty: holds no window to suggest" in suggesting.stderr) == (2, True), suggesting.stderr
