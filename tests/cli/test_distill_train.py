"""`cedtag distill train`: from a store to a checkpoint for `-m`, in any number of starts; refusals are sentences."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from cedtag.distill.store import DistillStore
from tests.hisses import write_hisses
from tests.micro import CHECKPOINT
from tests.programs import command_of

if TYPE_CHECKING:
    from pathlib import Path

RESULT = ["README.md", "config.json", "metrics.jsonl", "model.safetensors", "preprocessor_config.json"]
TRAIN = ["distill", "train", "store", "-b", "5", "--threads", "1"]
SCRATCH = [*TRAIN, "--from-config", "small.json"]


@pytest.fixture
def data(cedtag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in: `hisses/` with recordings, their `store` of two views, and `small.json`."""
    monkeypatch.chdir(tmp_path)
    write_hisses(tmp_path)
    done = cedtag("distill", "store", "hisses", "-m", CHECKPOINT, "-o", "store", "--epochs", 2, "-k", 5, "-q")
    assert (done.code, done.stderr) == (0, "")
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_student_is_a_model_like_any_other(cedtag, data: Path) -> None:
    done = cedtag(*SCRATCH, "-o", "student", "--epochs", 2)
    assert done.code == 0, done.stderr
    assert done.stderr.endswith("cedtag: student: done; try it: cedtag RECORDING -m student\n")
    assert files(data / "student") == RESULT
    tagged = cedtag("hisses/low/0.wav", "-m", "student", "-f", "tsv", "-k", 1, "-t", 0)
    assert tagged.lines[1].split("\t")[6] in DistillStore("store").facts.classes


def test_a_student_can_start_from_a_checkpoint_and_learn_labels_too(cedtag, data: Path) -> None:
    """The labels of the folders are no classes of the teacher, which is said; those of a manifest can be."""
    refused = cedtag(*TRAIN, "-m", CHECKPOINT, "-o", "student", "--epochs", 1, "--labels-weight", 0.5)
    assert refused.code == 2
    assert "the label 'high' is no class of the store's teachers" in refused.stderr
    (data / "hisses/labels.csv").write_text("file,labels\nlow/0.wav,Speech\n", encoding="utf-8")
    learned = [*TRAIN, "-m", CHECKPOINT, "--epochs", 1]
    done = cedtag(*learned, "-o", "both", "--labels-weight", 0.5, "--data", "hisses/labels.csv")
    assert done.code == 0, done.stderr
    assert "labels with a weight of 0.5" in (data / "both/README.md").read_text(encoding="utf-8")
    assert cedtag(*learned, "-o", "alone").code == 0
    both, alone = ((data / name / "model.safetensors").read_bytes() for name in ("both", "alone"))
    assert both != alone


def test_recordings_that_moved_are_named(cedtag, data: Path) -> None:
    (data / "hisses").rename(data / "moved")
    refused = cedtag(*SCRATCH, "-o", "student", "--epochs", 1)
    assert refused.code == 2
    assert refused.stderr == (
        f"cedtag: {data}/hisses: the recordings of the store are not there; name their folder with --data\n"
    )
    assert cedtag(*SCRATCH, "-o", "student", "--epochs", 1, "--data", "moved").code == 0


def test_a_recording_that_cannot_be_decoded_any_more_is_one_sentence(cedtag, data: Path) -> None:
    path = data / "hisses/low/1.wav"
    path.write_bytes(b"x" * path.stat().st_size)
    refused = cedtag(*SCRATCH, "-o", "student", "--epochs", 1)
    assert refused.code == 2
    assert refused.stderr == (
        f"cedtag: {path}: is another recording than the one whose clips were stored; restore it, or store it again\n"
    )
    assert files(data / "student") == []


@pytest.mark.slow
def test_a_training_that_was_killed_leaves_the_bytes_of_an_undisturbed_one(cedtag, data: Path) -> None:
    arguments = [*SCRATCH, "--epochs", "40", "--save-every", "0"]
    command = command_of("import cedtag.cli; cedtag.cli.main()", *arguments, "-o", "killed")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (data / "killed/training_state.pt").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert cedtag(*arguments, "-o", "killed").code == 0
    assert cedtag(*arguments, "-o", "whole").code == 0
    assert files(data / "killed") == RESULT
    for name in set(RESULT) - {"README.md"}:  # which has the command line in it
        assert (data / "killed" / name).read_bytes() == (data / "whole" / name).read_bytes()
