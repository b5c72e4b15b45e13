"""Convolutional teachers in folders of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from cedtag import CedFeatureExtractor
from cedtag.checkpoints.locate import resolve
from cedtag.distill.settings import DistillStoreCompute, TeacherChoice
from cedtag.distill.teachers import load_teachers
from cedtag.errors import ModelError
from cedtag.model.config import MULTI_LABEL, SINGLE_LABEL
from cedtag.training.teacher import ConvTeacher
from cedtag.training.teacher_checkpoint import is_teacher, load_teacher, save_teacher
from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from pathlib import Path


def saved(folder: Path, problem_type: str = MULTI_LABEL) -> ConvTeacher:
    torch.manual_seed(0)
    network = ConvTeacher(64, 3).eval()
    save_teacher(folder, network, ["Bark", "Speech", "own"], problem_type, CedFeatureExtractor())
    return network


def test_a_saved_teacher_is_the_same_when_it_is_loaded(tmp_path):
    network = saved(tmp_path / "t")
    checkpoint = resolve(str(tmp_path / "t"))
    assert is_teacher(checkpoint)
    assert not is_teacher(resolve(str(CHECKPOINT)))
    loaded = load_teacher(checkpoint)
    assert loaded.classes == ("Bark", "Speech", "own")
    features = torch.randn(2, 64, 50)
    assert torch.equal(loaded.network(features), network(features))


@pytest.mark.parametrize("problem_type", [MULTI_LABEL, SINGLE_LABEL])
def test_its_scores_are_those_of_its_loss(tmp_path, problem_type):
    network = saved(tmp_path / "t", problem_type)
    (teacher,) = load_teachers(TeacherChoice((str(tmp_path / "t"),)), DistillStoreCompute(device="cpu"))
    features = torch.randn(10, 64, 50)
    scores = teacher.probabilities(np.zeros((10, 8_000), np.float32), features)
    logits = network(features)
    expected = logits.softmax(-1) if problem_type == SINGLE_LABEL else logits.sigmoid()
    assert torch.allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize(
    "change", [{"classes": ["a"]}, {"classes": []}, {"classes": "abc"}, {"classes": [1, 2, 3]}, {"problem_type": "x"}]
)
def test_a_damaged_config_is_an_error(tmp_path, change):
    saved(tmp_path / "t")
    config = tmp_path / "t/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ModelError):
        load_teacher(resolve(str(tmp_path / "t")))


def test_its_folder_is_no_model_to_tag_with(cedtag, sounds, tmp_path):
    saved(tmp_path / "t")
    done = cedtag("sounds", "-m", "t")
    assert done.code == 1
    assert "model_type is 'cedtag-conv-teacher', expected" in done.stderr
