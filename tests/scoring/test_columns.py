"""The scores of columns of tokens: what a scorer promises of them, whatever its backend."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cedtag.checkpoints.locate import resolve
from cedtag.model.config import CedConfig
from cedtag.model.features import CedFeatureExtractor
from cedtag.model.network import CedForAudioClassification
from cedtag.records import ScoredWindow, Source, Window
from cedtag.scoring import gives_columns, open_scorer
from tests.archive import StubScorer
from tests.micro import CHECKPOINT, clips

SOURCE = Source("a.wav", "a.wav", "a.wav")
NAMES = ("am_3p3s", "short_1s", "quarter_s", "noise_10s", "full_1012_frames")


def scorer_of(backend="torch", precision="fp32", model=CHECKPOINT):
    if backend == "onnx":
        pytest.importorskip("onnxruntime")
    return open_scorer(resolve(str(model)), backend, "cpu", precision, 4)


def some_windows():
    """Clips of any lengths, none of which overlaps another."""
    return [Window(SOURCE, number, number * 200_000, clips()[name]) for number, name in enumerate(NAMES)]


def heads(model, samples):
    """What the head makes of the mean over each column of the model's last hidden states, by the book."""
    features = CedFeatureExtractor()(samples, return_tensors="pt")["input_values"]
    with torch.inference_mode():
        hidden = model(features).last_hidden_state[0]
        rows, _ = model.config.grid_size
        columns = hidden.shape[0] // rows
        means = torch.stack([hidden[column::columns].mean(0) for column in range(columns)])
        return model.outputlayer(means)


def test_columns_are_the_head_on_the_mean_of_all_patches_of_a_time_step():
    model = CedForAudioClassification.from_pretrained(CHECKPOINT).eval()
    _, columns = scorer_of().score_columns(some_windows())
    for window, found in zip(some_windows(), columns, strict=True):
        expected = torch.sigmoid(heads(model, window.samples)).numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_columns_of_onnx_equal_those_of_torch(name):
    window = Window(SOURCE, 0, 0, clips()[name])
    (torchs,), (onnxs,) = (scorer_of(backend).score_columns([window])[1] for backend in ("torch", "onnx"))
    assert len(torchs) == (len(window.samples) // 160 + 1) // 16
    np.testing.assert_allclose(onnxs, torchs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scorer", ["torch fp32", "onnx fp32", "onnx int8"])
def test_the_scores_of_windows_are_to_the_bit_what_they_are_without_columns(scorer):
    scorer = scorer_of(*scorer.split())
    scores, columns = scorer.score_columns(some_windows())
    assert np.array_equal(scores, scorer.score(some_windows()))
    assert all(np.array_equal(*scorer_columns) for scorer_columns in zip(columns, alone(scorer), strict=True))
    (quarter,) = scorer.score_columns([Window(SOURCE, 0, 0, clips()["quarter_s"][:2560])])[1]
    assert quarter.shape == (1, 527)


@pytest.mark.parametrize("scorer", ["torch fp32", "onnx fp32", "onnx int8"])
def test_scores_embeddings_and_columns_come_from_one_pass_to_the_bit(scorer):
    scorer = scorer_of(*scorer.split())
    scores, embeddings, columns = scorer.score_whole(some_windows())
    expected_scores, expected = scorer.score_embedded(some_windows())
    assert np.array_equal(scores, expected_scores)
    assert np.array_equal(embeddings, expected)
    assert all(map(np.array_equal, columns, scorer.score_columns(some_windows())[1]))


def alone(scorer):
    return [scorer.score_columns([window])[1][0] for window in some_windows()]


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_columns_of_models_of_one_class_a_clip_sum_to_one(tmp_path, backend):
    torch.manual_seed(0)
    config = CedConfig(embed_dim=24, num_heads=2, depth=1, outputdim=5, problem_type="single_label_classification")
    CedForAudioClassification(config).save_pretrained(tmp_path)
    _, columns = scorer_of(backend, model=tmp_path).score_columns(some_windows())
    assert np.concatenate(columns).sum(1) == pytest.approx(1, abs=1e-6)
    assert np.concatenate(columns).std() > 0


def test_the_scores_of_a_window_of_one_column_are_those_of_the_column():
    (score,), ((column,),) = scorer_of().score_columns([Window(SOURCE, 0, 0, clips()["noise_10s"][:2560])])
    np.testing.assert_allclose(column, score, rtol=0, atol=1e-6)


def test_what_only_passes_attributes_on_gives_no_columns():
    class Around:
        def __getattr__(self, name):
            return getattr(scorer_of(), name)

    assert gives_columns(scorer_of())
    assert not gives_columns(Around())
    assert not gives_columns(StubScorer())


def test_a_window_with_a_column_that_is_no_number_has_no_scores():
    columns = np.full((3, 2), 0.5, np.float32)
    assert ScoredWindow(SOURCE, 0, 0, 9, columns[0], columns=columns).is_finite
    columns[1, 1] = np.nan
    assert not ScoredWindow(SOURCE, 0, 0, 9, columns[0], columns=columns).is_finite
