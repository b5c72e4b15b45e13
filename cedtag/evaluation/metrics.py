"""Measures of scores `(clips, classes)` against truth of the same shape, 1 where a class is heard, else 0."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cedtag.errors import CedtagError

if TYPE_CHECKING:
    from collections.abc import Callable

Matrix: TypeAlias = NDArray[np.float64]
Vector: TypeAlias = NDArray[np.float64]

_RESAMPLES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class ClassMeasure:
    """One class: how many clips have it, and how well they stand out; None where that cannot be said."""

    name: str
    positives: int
    ap: float | None
    auc: float | None
    d_prime: float | None
    threshold: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Measure:
    """One number over all classes, with its 95 % interval over resampled clips where that was asked for."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def is_single_label(truth: Matrix) -> bool:
    return bool((truth.sum(1) == 1).all())


def judged(truth: Matrix) -> NDArray[np.bool_]:
    """The classes that can be judged: some clips have them and some have not."""
    return np.asarray((truth.max(0) > 0) & (truth.min(0) < 1))


def average_precision(truth: Vector, scores: Vector, counts: Matrix) -> Vector:
    """AP of one class `(clips,)` for each row of `counts (resamples, clips)`, how often a clip was drawn.

    The same as scikit-learn's with `sample_weight`, but for a thousand resamples at once. NaN without a positive.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # equal scores stand at one threshold
    drawn = counts[:, order]
    found = np.cumsum(drawn * truth[order], axis=1)[:, ends]
    returned = np.cumsum(drawn, axis=1)[:, ends]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(returned > 0, found / returned, 0)
        return np.asarray((np.diff(found, axis=1, prepend=0) * precision).sum(1) / found[:, -1])


def macro_map(truth: Matrix, scores: Matrix, counts: Matrix) -> Vector:
    """Mean AP over the judged classes, for each resample."""
    per_class = [average_precision(truth[:, c], scores[:, c], counts) for c in np.flatnonzero(judged(truth))]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nanmean(per_class, axis=0))


def micro_map(truth: Matrix, scores: Matrix, counts: Matrix) -> Vector:
    """AP over all pairs of clip and class, for each resample."""
    columns = truth.shape[1]
    return average_precision(truth.ravel(), scores.ravel(), np.repeat(counts, columns, axis=1))


def lwlrap(truth: Matrix, scores: Matrix, counts: Matrix) -> Vector:
    """Label-weighted label-ranking average precision: for every label of a clip, the precision down to its rank."""
    per_label, clip = [], []
    for row in np.flatnonzero(truth.any(1)):
        positive = scores[row, truth[row] > 0]
        ranks = (scores[row] >= positive[:, None]).sum(1)
        hits = (positive >= positive[:, None]).sum(1)
        per_label.append(hits / ranks)
        clip.append(np.full(len(positive), row))
    if not per_label:
        return np.full(len(counts), np.nan)
    weights = counts[:, np.concatenate(clip)]
    with np.errstate(invalid="ignore"):
        return np.asarray(weights @ np.concatenate(per_label) / weights.sum(1))


def accuracy(truth: Matrix, scores: Matrix, counts: Matrix) -> Vector:
    """The share of clips whose best class is their one label."""
    right = scores.argmax(1) == truth.argmax(1)
    return np.asarray(counts @ right / counts.sum(1))


def accuracy_among_present(truth: Matrix, scores: Matrix, counts: Matrix) -> Vector:
    """Accuracy when only the classes that occur in the truth can be answered."""
    present = truth.any(0)
    return accuracy(truth[:, present], scores[:, present], counts)


def measure_all(truth: Matrix, scores: Matrix, resamples: int, seed: int = 0) -> list[Measure]:
    """The measures over all classes, with bootstrap intervals when `resamples` is not 0."""
    functions: dict[str, Callable[[Matrix, Matrix, Matrix], Vector]] = {
        "mAP": macro_map,
        "mAP micro": micro_map,
        "lwlrap": lwlrap,
    }
    if is_single_label(truth):
        functions |= {"accuracy": accuracy, "accuracy among present": accuracy_among_present}
    once = np.ones((1, len(truth)))
    draws = _draws(len(truth), resamples, seed)
    return [
        Measure(name, float(function(truth, scores, once)[0]), *_interval(function, truth, scores, draws))
        for name, function in functions.items()
    ]


def measure_classes(truth: Matrix, scores: Matrix, names: list[str]) -> list[ClassMeasure]:
    """AP, AUC, d-prime and the threshold of the best F1 of every class."""
    once = np.ones((1, len(truth)))
    can = judged(truth)
    measures = []
    for column, name in enumerate(names):
        positives = int(truth[:, column].sum())
        if not can[column]:
            measures.append(ClassMeasure(name, positives, None, None, None, None, None))
            continue
        real, guess = truth[:, column], scores[:, column]
        auc = _auc(real, guess)
        ap = float(average_precision(real, guess, once)[0])
        measures.append(ClassMeasure(name, positives, ap, auc, d_prime(auc), *best_threshold(real, guess)))
    return measures


def d_prime(auc: float) -> float:
    """The distance of two normal distributions that an AUC stands for, in standard deviations; at most 11.2."""
    return 2**0.5 * NormalDist().inv_cdf(min(max(auc, 1e-15), 1 - 1e-15))


def best_threshold(truth: Vector, scores: Vector) -> tuple[float, float]:
    """The score from which on a class is best taken as heard, and the F1 that this gives.

    It lies half-way to the next score below, so that scores which were rounded stay on their side.
    """
    precision, recall, thresholds = precision_recall(truth, scores)
    with np.errstate(invalid="ignore"):
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))[:-1]
    best = int(f1.argmax())
    below = thresholds[best - 1] if best else 0.0
    return float((thresholds[best] + below) / 2), float(f1[best])


def precision_recall(truth: Vector, scores: Vector) -> tuple[Vector, Vector, Vector]:
    """Precision and recall at every threshold, then at none (1 and 0), and the thresholds, rising."""
    precision, recall, thresholds = _scikit_learn().precision_recall_curve(truth, scores)
    return precision, recall, thresholds


def confusion(truth: Matrix, scores: Matrix) -> NDArray[np.int64]:
    """How often each class `(truth, answer)` was answered; truth must be single-label."""
    classes = np.arange(truth.shape[1])
    return np.asarray(_scikit_learn().confusion_matrix(truth.argmax(1), scores.argmax(1), labels=classes))


def _auc(truth: Vector, scores: Vector) -> float:
    return float(_scikit_learn().roc_auc_score(truth, scores))


def require_scikit_learn() -> None:
    """Raise a sentence now rather than after an hour of scoring."""
    _scikit_learn()


def _scikit_learn() -> Any:
    try:
        return import_module("sklearn.metrics")
    except ImportError as error:
        raise CedtagError("evaluating needs scikit-learn: pip install 'cedtag[train]'") from error


def _draws(num_clips: int, resamples: int, seed: int) -> Matrix:
    rng = np.random.default_rng(seed)
    return rng.multinomial(num_clips, np.full(num_clips, 1 / num_clips), resamples).astype(np.float64)


def _interval(
    function: Callable[[Matrix, Matrix, Matrix], Vector], truth: Matrix, scores: Matrix, draws: Matrix
) -> tuple[float, float] | tuple[None, None]:
    if not len(draws):
        return None, None
    parts = [
        function(truth, scores, draws[i : i + _RESAMPLES_AT_ONCE]) for i in range(0, len(draws), _RESAMPLES_AT_ONCE)
    ]
    low, high = np.nanpercentile(np.concatenate(parts), [2.5, 97.5])
    return float(low), float(high)
