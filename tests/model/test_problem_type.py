"""A model that was trained with cross-entropy scores clips by the softmax of its logits, in every backend."""

import json

import numpy as np
import pytest
import soundfile
import torch

from cedtag import CedConfig, CedFeatureExtractor, CedForAudioClassification, ModelError
from cedtag.model.config import MULTI_LABEL, SINGLE_LABEL

FEATURES = torch.randn(2, 64, 100, generator=torch.Generator().manual_seed(0))


def model_of(problem_type=SINGLE_LABEL):
    torch.manual_seed(0)
    return CedForAudioClassification(CedConfig(depth=1, embed_dim=24, outputdim=5, problem_type=problem_type)).eval()


@pytest.fixture
def checkpoint(tmp_path):
    model_of().save_pretrained(tmp_path / "single")
    CedFeatureExtractor().save_pretrained(tmp_path / "single")
    return tmp_path / "single"


def test_probabilities_are_the_softmax_and_the_loss_is_the_cross_entropy():
    model = model_of()
    out = model(FEATURES, torch.tensor([1, 4]))
    torch.testing.assert_close(out.probabilities, out.logits.softmax(-1))
    torch.testing.assert_close(out.loss, torch.nn.functional.cross_entropy(out.logits, torch.tensor([1, 4])))
    exported = torch.export.export(model, (FEATURES,)).module()(FEATURES)
    torch.testing.assert_close(exported.probabilities.sum(-1), torch.ones(2))


def test_without_a_problem_type_classes_are_independent():
    assert CedConfig.from_dict({"problem_type": None}).problem_type == MULTI_LABEL
    out = model_of(MULTI_LABEL)(FEATURES)
    torch.testing.assert_close(out.probabilities, out.logits.sigmoid())


def test_regression_is_refused():
    with pytest.raises(ModelError, match="problem_type is 'regression', expected \"multi_label_classification\" or"):
        CedConfig(problem_type="regression")


def test_the_problem_type_is_written_and_read(checkpoint):
    assert json.loads((checkpoint / "config.json").read_text())["problem_type"] == SINGLE_LABEL
    assert CedForAudioClassification.from_pretrained(checkpoint).config.problem_type == SINGLE_LABEL


@pytest.mark.parametrize(("backend", "precision"), [("torch", "fp32"), ("onnx", "fp32"), ("onnx", "int8")])
def test_the_scores_of_a_window_sum_to_one(cedtag, checkpoint, backend, precision, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000)
    soundfile.write(tmp_path / "noise.wav", noise, 16_000)
    compute = ("--backend", backend, "--precision", precision)
    rows = cedtag(tmp_path / "noise.wav", "-m", checkpoint, *compute, "-t", "0", "-k", "0", "-f", "jsonl").stdout
    tags = [tag for line in rows.splitlines() for tag in json.loads(line).get("tags", [])]
    assert len(tags) == 5
    assert sum(tag["score"] for tag in tags) == pytest.approx(1, abs=1e-3)


def test_a_model_that_is_tuned_with_cross_entropy_says_so(cedtag, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("low", "high"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(2):
            soundfile.write(tmp_path / "data" / name / f"{number}.wav", rng.normal(0, 0.1, 16_000), 16_000)
    (tmp_path / "small.json").write_text(json.dumps(CedConfig(depth=1, embed_dim=24).to_dict()))
    words = ("--from-config", tmp_path / "small.json", "--epochs", "1", "--crop", "0.5", "0.5", "-q")
    for loss, problem_type in (("ce", SINGLE_LABEL), ("bce", MULTI_LABEL)):
        cedtag("finetune", tmp_path / "data", *words, "--loss", loss, "-o", tmp_path / loss)
        assert json.loads((tmp_path / loss / "config.json").read_text())["problem_type"] == problem_type
