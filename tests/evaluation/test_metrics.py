"""The measures agree with scikit-learn's, and resampling them is drawing clips again."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import SearchStrategy, integers, sampled_from, tuples

from cedtag.evaluation import metrics

sklearn_metrics = pytest.importorskip("sklearn.metrics")

CLIPS, CLASSES = 12, 4
SCORES = arrays(np.float64, (CLIPS, CLASSES), elements=sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]))
LABELS = arrays(np.float64, (CLIPS, CLASSES), elements=sampled_from([0.0, 1.0]))
COUNTS = arrays(np.float64, (CLIPS,), elements=integers(0, 3).map(float))
ONCE = np.ones((1, CLIPS))


def cases() -> SearchStrategy[tuple[metrics.Matrix, metrics.Matrix]]:
    return tuples(LABELS, SCORES).filter(lambda case: bool(metrics.has_both_labels(case[0]).any()))


@given(case=cases(), counts=COUNTS)
def test_average_precision_is_scikit_learns_for_any_counts(
    case: tuple[metrics.Matrix, metrics.Matrix], counts: metrics.Matrix
) -> None:
    truth, scores = case[0][:, 0], case[1][:, 0]
    (ours,) = metrics.average_precision(truth, scores, counts[None])
    if (truth * counts).sum() == 0:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(sklearn_metrics.average_precision_score(truth, scores, sample_weight=counts))


@given(case=cases())
def test_means_over_classes_are_scikit_learns(case: tuple[metrics.Matrix, metrics.Matrix]) -> None:
    truth, scores = case
    can = metrics.has_both_labels(truth)
    expected = sklearn_metrics.average_precision_score(truth[:, can], scores[:, can], average="macro")
    assert metrics.macro_map(truth, scores, ONCE) == pytest.approx(expected)
    expected = sklearn_metrics.average_precision_score(truth, scores, average="micro")
    assert metrics.micro_map(truth, scores, ONCE) == pytest.approx(expected)
    expected = sklearn_metrics.label_ranking_average_precision_score(
        truth[truth.any(1)], scores[truth.any(1)], sample_weight=truth.sum(1)[truth.any(1)]
    )
    assert metrics.lwlrap(truth, scores, ONCE) == pytest.approx(expected)


@given(case=cases(), drawn=arrays(np.int64, (CLIPS,), elements=integers(0, CLIPS - 1)))
def test_counting_clips_is_drawing_them(case: tuple[metrics.Matrix, metrics.Matrix], drawn: metrics.Matrix) -> None:
    truth, scores = case
    counts = np.bincount(drawn, minlength=CLIPS)[None].astype(float)
    for measure in (metrics.micro_map, metrics.lwlrap, metrics.accuracy):
        repeated = measure(truth[drawn], scores[drawn], ONCE)
        np.testing.assert_allclose(measure(truth, scores, counts), repeated)


def test_perfect_scores_measure_one_with_a_certain_interval() -> None:
    truth = np.eye(4)[np.arange(40) % 4]
    measures = metrics.measure_all(truth, truth, resamples=200)
    assert [measure.name for measure in measures] == [
        "mAP",
        "mAP micro",
        "lwlrap",
        "accuracy",
        "accuracy among present",
    ]
    assert {(measure.value, measure.low, measure.high) for measure in measures} == {(1.0, 1.0, 1.0)}


def test_intervals_hold_the_value_and_repeat() -> None:
    rng = np.random.default_rng(0)
    truth = np.eye(5)[rng.integers(0, 5, 200)]
    scores = np.clip(truth * 0.3 + rng.random((200, 5)), 0, 1)
    measures = metrics.measure_all(truth, scores, resamples=300)
    assert all(m.low is not None and m.high is not None and m.low < m.value < m.high for m in measures)
    assert measures == metrics.measure_all(truth, scores, resamples=300)


def test_an_interval_holds_the_middle_95_percent_of_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of two clips the first alone is right: the accuracies are the 1001 numbers from 0 to 1 in steps of 0.001.
    truth, scores = np.eye(2), np.array([[1.0, 0.0], [1.0, 0.0]])
    first = np.random.default_rng(0).permutation(np.arange(1001.0))
    monkeypatch.setattr(metrics, "_resampled", lambda *_: np.stack([first, 1000 - first], axis=1))
    measures = {measure.name: measure for measure in metrics.measure_all(truth, scores, resamples=1001)}
    assert (measures["accuracy"].low, measures["accuracy"].high) == pytest.approx((0.025, 0.975))


def test_a_resample_is_as_many_clips_drawn_with_replacement() -> None:
    """The 95 % interval of an accuracy of one half over 400 clips is that of a binomial distribution."""
    truth = np.eye(2)[np.arange(400) % 2]
    scores = np.tile([1.0, 0.0], (400, 1))
    (accuracy,) = (m for m in metrics.measure_all(truth, scores, resamples=4000) if m.name == "accuracy")
    assert (accuracy.low, accuracy.high) == pytest.approx((0.5 - 0.049, 0.5 + 0.049), abs=0.003)


def test_clips_with_several_labels_have_no_accuracy() -> None:
    truth = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert [m.name for m in metrics.measure_all(truth, truth, resamples=0)] == ["mAP", "mAP micro", "lwlrap"]


def test_a_class_that_every_clip_has_or_none_has_no_measures() -> None:
    truth = np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    always, never, sometimes = metrics.measure_classes(truth, truth, ["always", "never", "sometimes"])
    assert always == metrics.ClassMeasure("always", 2, None, None, None, None, None)
    assert never == metrics.ClassMeasure("never", 0, None, None, None, None, None)
    assert (sometimes.ap, sometimes.auc, sometimes.f1) == (1.0, 1.0, 1.0)


def test_accuracy_counts_answers_outside_the_truth_as_wrong_but_among_present_does_not() -> None:
    truth = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    scores = np.array([[0.5, 0.1, 0.9], [0.1, 0.5, 0.2]])
    once = np.ones((1, 2))
    assert metrics.accuracy(truth, scores, once) == 0.5
    assert metrics.accuracy_among_present(truth, scores, once) == 1.0


def test_d_prime_is_zero_for_chance_and_audioset_2_96_for_its_auc() -> None:
    assert metrics.d_prime(0.5) == 0
    assert metrics.d_prime(0.9818) == pytest.approx(2.96, abs=0.005)
    assert np.isfinite(metrics.d_prime(1.0))


@given(case=cases())
def test_the_best_threshold_reaches_the_f1_that_it_promises(case: tuple[metrics.Matrix, metrics.Matrix]) -> None:
    truth, scores = (matrix[:, int(metrics.has_both_labels(case[0]).argmax())] for matrix in case)
    threshold, f1 = metrics.best_threshold(truth, scores)
    assert f1 == pytest.approx(sklearn_metrics.f1_score(truth, scores >= threshold))
    others = [sklearn_metrics.f1_score(truth, scores >= other) for other in np.unique(scores)]
    assert f1 == pytest.approx(max(others))


def test_confusion_counts_every_clip_once() -> None:
    truth = np.eye(3)[[0, 0, 1]]
    scores = np.eye(3)[[0, 1, 1]]
    assert metrics.confusion(truth, scores).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_a_resample_without_a_class_that_has_both_labels_has_no_map():
    truth, scores = np.array([[True], [True]]), np.array([[0.1], [0.9]])
    assert np.isnan(metrics.macro_map(truth, scores, ONCE[:, :2])).all()


def test_the_memory_of_the_bootstrap_does_not_grow_with_its_resamples():
    rng = np.random.default_rng(0)
    truth, scores = (rng.random((4_000, 100)) < 0.02).astype(float), rng.random((4_000, 100))
    tracemalloc.start()
    metrics.measure_all(truth, scores, resamples=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6  # all resamples of all pairs at once would take 320 MB for each array


def test_how_many_resamples_are_computed_at_once_changes_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    truth, scores = (rng.random((50, 4)) < 0.3).astype(float), rng.random((50, 4)).round(1)
    at_once = metrics.measure_all(truth, scores, resamples=40)
    monkeypatch.setattr(metrics, "_VALUES_AT_ONCE", 1)
    assert metrics.measure_all(truth, scores, resamples=40) == at_once


def test_a_measure_without_a_value_in_any_resample_has_no_interval() -> None:
    truth, scores = np.ones((1, 1)), np.full((1, 1), 0.5)
    measured = {one.name: one for one in metrics.measure_all(truth, scores, resamples=5)}
    assert (measured["mAP"].low, measured["mAP"].high) == (None, None)
    assert measured["mAP micro"].low is not None
