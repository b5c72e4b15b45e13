from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cedtag.checkpoints.locate import Checkpoint
from cedtag.errors import ModelError
from cedtag.model.config import CedConfig
from cedtag.model.front_end import FrontEnd
from cedtag.model.preprocessor import front_end_of, preprocessor_dict

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("front_end", "patch", "shortest"),
    [
        (FrontEnd(), 2560, 2400),
        (FrontEnd(patch_frames=8), 1280, 1120),
        (FrontEnd(patch_frames=1), 160, 257),
        (FrontEnd(n_fft=1024, hop_size=10), 160, 513),
    ],
)
def test_the_shortest_lengths_hold_one_patch_and_enough_to_mirror(front_end, patch, shortest):
    assert (front_end.patch_samples, front_end.shortest_samples) == (patch, shortest)


@pytest.mark.parametrize("num_frames", [1, 2, 16, 1012])
def test_samples_of_frames_are_the_fewest_that_give_them(num_frames):
    front_end = FrontEnd()
    samples = front_end.samples_of(num_frames)
    assert [front_end.frames_of(samples), front_end.frames_of(samples + 159)] == [num_frames, num_frames]
    assert front_end.frames_of(samples + 160) == num_frames + 1


def checkpoint_of(folder: Path, preprocessor: dict | None, config: dict | None) -> Checkpoint:
    paths: list[Path | None] = []
    for name, values in (("config.json", config), ("preprocessor_config.json", preprocessor)):
        if values is not None:
            (folder / name).write_text(json.dumps(values))
        paths.append(None if values is None else folder / name)
    return Checkpoint("model", paths[0], paths[1], folder / "model.safetensors", None)


@pytest.mark.parametrize("preprocessor", [None, {}, {"hop_size": 100}])
@pytest.mark.parametrize("config", [None, {}, {"patch_size": 8, "patch_stride": 8}])
def test_the_length_of_a_patch_comes_from_the_config(tmp_path, preprocessor, config):
    found = front_end_of(checkpoint_of(tmp_path, preprocessor, config))
    assert found.patch_frames == (8 if config else 16)
    assert found.hop_size == (100 if preprocessor else 160)
    assert "patch" not in " ".join(preprocessor_dict(found))


def test_the_config_of_a_model_whose_files_have_none_counts(tmp_path):
    config = CedConfig(n_mels=80, patch_size=8, patch_stride=8)
    assert front_end_of(checkpoint_of(tmp_path, None, None), config) == FrontEnd(n_mels=80, patch_frames=8)


@pytest.mark.parametrize(
    ("preprocessor", "config", "message"),
    [
        ({"hop_size": 100}, {"hop_size": 160}, r"/config\.json: hop_size is 160, but hop_size is 100 in .*/pre"),
        (
            {},
            {"hop_size": 100},
            r"/config\.json: hop_size is 100, but hop_size is 160 in .*/preprocessor_config\.json; give",
        ),
        ({"f_min": 50}, {"f_min": 0}, r"/config\.json: f_min is 0, but f_min is 50 in "),
        ({"f_max": 7000}, {"f_max": 8000}, r"/config\.json: f_max is 8000, but f_max is 7000 in "),
        ({"n_fft": 1024}, {"n_fft": 512}, r"/config\.json: n_fft is 512, but n_fft is 1024 in "),
        ({"win_size": 400}, {"win_size": 512}, r"/config\.json: win_size is 512, but win_size is 400 in "),
        ({"feature_size": 80}, {"n_mels": 64}, r"feature_size is 80, expected the model's n_mels 64"),
        ({}, {"sampling_rate": 32_000}, r"/config\.json: sampling_rate is 32000, but sampling_rate is 16000 in "),
        (None, {"sampling_rate": 32_000}, r"/config\.json: sampling_rate is 32000, but sampling_rate is 16000; give"),
        (None, {"feature_size": 80}, r"/config\.json: feature_size is 80, but feature_size is 64; give"),
        ({"n_mels": 80}, {}, r"/preprocessor_config\.json: n_mels is 80, but feature_size is 64; give"),
    ],
)
def test_files_that_contradict_each_other_are_refused_with_both_values(tmp_path, preprocessor, config, message):
    with pytest.raises(ModelError, match=message):
        front_end_of(checkpoint_of(tmp_path, preprocessor, config))


@pytest.mark.parametrize("values", [{}, {"hop_size": None}, {"hop_size": 100, "f_min": 0.0}])
def test_files_that_agree_are_taken(tmp_path, values):
    found = front_end_of(checkpoint_of(tmp_path, {"hop_size": 100, "f_min": 0}, values))
    assert found.hop_size == 100


@pytest.mark.parametrize(
    ("preprocessor", "config", "message"),
    [
        ({"feature_size": 80}, {}, r"preprocessor_config\.json: feature_size is 80, expected the model's n_mels 64"),
        ({}, {"target_length": 16}, r"config\.json: target_length is 16, expected at least 17, the frames of the sh"),
        ({"n_fft": 1024, "hop_size": 10}, {"target_length": 51}, r"target_length is 51, expected at least 52"),
    ],
)
def test_a_front_end_that_the_model_cannot_take_is_refused_when_it_is_read(tmp_path, preprocessor, config, message):
    with pytest.raises(ModelError, match=message):
        front_end_of(checkpoint_of(tmp_path, preprocessor, config))
