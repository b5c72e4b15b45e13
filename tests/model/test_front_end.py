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
        ({"feature_size": 80}, {}, r"preprocessor_config\.json: feature_size is 80, expected the model's n_mels 64"),
        ({}, {"target_length": 16}, r"config\.json: target_length is 16, expected at least 17, the frames of the sh"),
        ({"n_fft": 1024, "hop_size": 10}, {"target_length": 51}, r"target_length is 51, expected at least 52"),
    ],
)
def test_a_front_end_that_the_model_cannot_take_is_refused_when_it_is_read(tmp_path, preprocessor, config, message):
    with pytest.raises(ModelError, match=message):
        front_end_of(checkpoint_of(tmp_path, preprocessor, config))
