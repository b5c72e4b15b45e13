"""Models whose patches are not 16 frames long, from the checkpoint to the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from cedtag.checkpoints.locate import resolve
from cedtag.errors import AudioError
from cedtag.inputs.manifest import Example
from cedtag.model.config import CedConfig
from cedtag.model.features import CedFeatureExtractor
from cedtag.model.network import CedForAudioClassification
from cedtag.records import Source, Window
from cedtag.scoring import open_scorer
from cedtag.training.clip_file import clip_file
from cedtag.training.clips import Clips, load_clips
from cedtag.training.loop import score

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ("Frog", "Rain")
BACKENDS = ["torch", "onnx"]


@pytest.fixture(scope="module", params=[8, 32])
def patch(request) -> int:
    return request.param


@pytest.fixture(scope="module")
def checkpoint(patch, tmp_path_factory) -> Path:
    """A checkpoint with random weights, which takes two seconds at most."""
    folder = tmp_path_factory.mktemp(f"patch{patch}")
    torch.manual_seed(0)
    config = CedConfig(24, 3, 1, patch_size=patch, patch_stride=patch, target_length=201, outputdim=2)
    CedForAudioClassification(config).save_pretrained(folder)
    CedFeatureExtractor.from_front_end(config.front_end).save_pretrained(folder)
    return folder


def noise(num_samples: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(num_samples)).astype(np.float32)


@pytest.fixture(params=BACKENDS)
def scorer(request, checkpoint):
    if request.param == "onnx":
        pytest.importorskip("onnxruntime")
    return open_scorer(resolve(str(checkpoint)), request.param, "cpu")


def test_windows_of_every_length_are_scored_as_in_torch(patch, checkpoint, scorer):
    assert (scorer.shortest_window, scorer.longest_window) == (160 * patch, 32_000)
    model = CedForAudioClassification.from_pretrained(checkpoint)
    extractor = CedFeatureExtractor.from_pretrained(checkpoint)
    for num_samples in (1, 1600, scorer.shortest_window - 1, scorer.shortest_window, 16_000, scorer.longest_window):
        samples = noise(num_samples)
        with torch.no_grad():
            expected = model(**extractor(samples)).probabilities
        found = scorer.score([Window(Source("a", "a", "a"), 0, 0, samples)])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_without_a_config_tell_the_length_of_a_patch(patch, tmp_path, backend):
    if backend == "onnx":
        pytest.importorskip("onnxruntime")
    config = CedConfig(depth=1, patch_size=patch, patch_stride=patch)
    CedForAudioClassification(config).save_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    scorer = open_scorer(resolve(str(tmp_path)), backend, "cpu")
    assert scorer.shortest_window == 160 * patch
    assert np.isfinite(scorer.score([Window(Source("a", "a", "a"), 0, 0, noise(1600))])).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tenth_of_a_second_is_tagged(cedtag, checkpoint, tmp_path, backend):
    soundfile.write(tmp_path / "short.wav", noise(1600), 16_000)
    command = [tmp_path / "short.wav", "-m", checkpoint, "--backend", backend, "-t", "0", "-f", "json", "-w", "2"]
    done = cedtag(*command)
    assert (done.code, done.stderr) == (0, "")
    (recording,) = json.loads(done.stdout)["recordings"]
    assert [(w["start"], w["end"], len(w["tags"])) for w in recording["windows"]] == [(0, 0.1, 2)]


def test_the_shortest_window_of_the_command_line_is_one_patch(cedtag, patch, checkpoint, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(16_000), 16_000)
    shortest_s = patch / 100
    assert cedtag(tmp_path / "a.wav", "-m", checkpoint, "-w", shortest_s).code == 0
    done = cedtag(tmp_path / "a.wav", "-m", checkpoint, "-w", shortest_s - 0.01)
    assert done.code == 2
    assert f"this model takes from {shortest_s:g} to 2 seconds" in done.stderr


def test_clips_to_train_on_last_one_patch(patch, checkpoint, tmp_path):
    extractor = CedFeatureExtractor.from_pretrained(checkpoint)
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(16_000), 16_000)
    size = 160 * patch
    with clip_file(tmp_path, np.float16) as file:
        clips, _ = load_clips([Example(str(path), "a.wav", ("Frog",), 160, 160 + size)], CLASSES, extractor, file)
        assert clips.features[0].shape == (64, patch + 1)
        short = [Example(str(path), "a.wav", ("Frog",), 160, 160 + size - 1)]
        with pytest.raises(AudioError, match=f"must last one patch, {patch / 100:g} s; `keep_going` leaves it out"):
            load_clips(short, CLASSES, extractor, file, keep_going=False)
        assert load_clips(short, CLASSES, extractor, file)[1] == []


def test_what_a_clip_has_more_than_windows_is_scored_if_it_fills_a_patch(patch, checkpoint):
    model = CedForAudioClassification.from_pretrained(checkpoint)
    window = torch.randn(64, 201)
    scores = {}
    for extra in (0, patch - 1, patch):
        clip = torch.cat([window, 30 * torch.randn(64, extra)], dim=1)
        scores[extra] = score(model, Clips([clip], torch.ones(1, 2)), 201).tolist()
    assert scores[patch - 1] == scores[0]
    assert scores[patch] != scores[0]
