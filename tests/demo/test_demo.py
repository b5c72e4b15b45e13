"""The model and the recording in the package: small, named as AudioSet names things, and usable without a network."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cedtag import __file__ as package
from cedtag.checkpoints.locate import resolve
from cedtag.demo.make_checkpoint import ESC10_CLASSES
from cedtag.demo.synthesis import NUM_SAMPLES, SOUNDS
from cedtag.inputs.windows import sliding_windows
from cedtag.labels.table import audioset
from cedtag.scoring.torch_scorer import load_torch_scorer

if TYPE_CHECKING:
    from cedtag.scoring.torch_scorer import TorchScorer


DEMO = Path(package).parent / "demo"
# What is made with numpy alone.
MADE = sorted(set(SOUNDS) - {"Speech"})


@pytest.fixture(scope="module")
def scorer() -> TorchScorer:
    return load_torch_scorer(resolve("demo"), "cpu")


def best_label(scorer: TorchScorer, samples: np.ndarray) -> str:
    probabilities = scorer.score(list(sliding_windows([samples], None, 160_000, 160_000)))  # type: ignore[arg-type]
    return scorer.labels[int(probabilities.max(0).argmax())].name


def test_the_checkpoint_is_small_and_in_the_hubs_layout() -> None:
    files = {file.name: file.stat().st_size for file in (DEMO / "checkpoint").iterdir()}
    assert files.keys() == {"README.md", "config.json", "model.safetensors", "preprocessor_config.json"}
    assert sum(files.values()) < 6_000_000
    assert (DEMO / "sample.ogg").stat().st_size < 300_000


def test_its_classes_are_audiosets_with_their_identifiers(scorer: TorchScorer) -> None:
    mids = {label.name: label.mid for label in audioset()}
    assert {label.name for label in scorer.labels} == {*ESC10_CLASSES.values(), *SOUNDS}
    assert all(label.mid == mids[label.name] for label in scorer.labels)


@pytest.mark.parametrize("name", MADE)
def test_sounds_are_made_anew_and_repeat_with_their_seed(name: str) -> None:
    one, again, other = (SOUNDS[name](np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (NUM_SAMPLES,)
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
    assert np.abs(one).max() <= 1.5
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other) or name == "Silence"


def test_the_checkpoint_knows_most_sounds_that_it_has_not_heard(scorer: TorchScorer) -> None:
    takes = [(name, SOUNDS[name](np.random.default_rng([777, seed]))) for name in MADE for seed in range(5)]
    right = sum(best_label(scorer, samples) == name for name, samples in takes)
    assert right >= 0.85 * len(takes)


def test_the_demonstration_needs_no_network_and_says_what_it_is(
    cedtag, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    done = cedtag("demo")
    assert done.code == 0, done.stderr
    assert done.lines[0] == f"$ cedtag {DEMO / 'sample.ogg'} -m demo"
    assert "sample.ogg" in done.lines[1]
    best = [line.split("  ")[2].split(" ", 1)[1] for line in done.lines[2:5]]
    assert best == ["Speech", "Siren", "Mains hum"]
    assert "cedtag RECORDING" in done.stdout.decode()


def test_results_name_the_model_not_its_folder(cedtag, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    done = cedtag(tmp_path / "a.wav", "-m", "demo", "-f", "json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["settings"]["model"] == "demo"


def test_a_folder_called_demo_does_not_hide_the_checkpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert resolve("demo").weights == DEMO / "checkpoint" / "model.safetensors"
