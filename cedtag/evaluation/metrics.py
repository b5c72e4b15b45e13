"""Measures of scores `(clips, classes)` against truth of the same shape: 1 where a clip has the class, else 0."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cedtag.errors import MissingPackageError
from cedtag.system.extras import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Matrix: TypeAlias = NDArray[np.float64]
Vector: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int32]

# Of all resamples that are computed at once; a few arrays of eight bytes each exist beside one another.
_VALUES_AT_ONCE = 1 << 21


@dataclass(frozen=True, slots=True)
class ClassMeasure:
    """The measures of one class, of which `positives` clips are; None where a measure is undefined."""

    name: str
    positives: int
    ap: float | None
    auc: float | None
    d_prime: float | None
    threshold: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Measure:
    """One number over all classes, with the 95 % interval of a bootstrap over clips if there was one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def is_single_label(truth: Matrix) -> bool:
    return bool((truth.sum(1) == 1).all())


def has_both_labels(truth: Matrix) -> NDArray[np.bool_]:
    """Classes with both positive and negative clips, as a mask `(classes,)`."""
    return np.asarray((truth.max(0) > 0) & (truth.min(0) < 1))


def average_precision(truth: Vector, scores: Vector, counts: Counts, columns: int = 1) -> Vector:
    """AP of one class `(clips,)` for each row of `counts (resamples, clips)`: how often a clip is in a resample.

    The same as scikit-learn's with `sample_weight`, but sorted once for all resamples. NaN without a positive. With
    `columns` a clip has so many values, one after another.
    """
    order = np.argsort(-scores, kind="stable").astype(np.int32)
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # equal scores stand at one threshold
    positive = truth[order] > 0
    order //= np.int32(columns)
    pieces = [_average_precision(positive, ends, counts[some][:, order]) for some in _blocks(counts, len(scores))]
    return np.concatenate(pieces)


def _average_precision(positive: NDArray[np.bool_], ends: NDArray[np.intp], drawn: Counts) -> Vector:
    """AP for each row of `drawn (resamples, values)`, in the order of falling scores."""
    found = np.cumsum(drawn * positive, axis=1, dtype=np.int32)[:, ends]
    returned = np.cumsum(drawn, axis=1, dtype=np.int32)[:, ends]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.divide(found, returned, out=np.zeros(found.shape), where=returned > 0)
        precision *= np.diff(found, axis=1, prepend=np.int32(0))
        return np.asarray(precision.sum(1) / found[:, -1])


def _blocks(counts: Counts, num_values: int) -> Iterator[slice]:
    """As many resamples at a time as memory should hold, each of `num_values`."""
    size = max(1, _VALUES_AT_ONCE // max(1, num_values))
    return (slice(start, start + size) for start in range(0, len(counts), size))


def macro_map(truth: Matrix, scores: Matrix, counts: Counts) -> Vector:
    """Mean AP over the classes with both labels, for each resample."""
    per_class = [average_precision(truth[:, c], scores[:, c], counts) for c in np.flatnonzero(has_both_labels(truth))]
    scores = np.reshape(per_class, (len(per_class), len(counts)))
    num_defined = np.isfinite(scores).sum(axis=0)
    return np.where(num_defined > 0, np.nansum(scores, axis=0) / np.maximum(num_defined, 1), np.nan)


def micro_map(truth: Matrix, scores: Matrix, counts: Counts) -> Vector:
    """AP over all pairs of clip and class, for each resample."""
    return average_precision(truth.ravel(), scores.ravel(), counts, truth.shape[1])


def lwlrap(truth: Matrix, scores: Matrix, counts: Counts) -> Vector:
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
    # Of a clip, which is drawn as a whole, only the sum and the number of its labels count.
    sums = np.bincount(np.concatenate(clip), np.concatenate(per_label), len(truth))
    num_labels = np.bincount(np.concatenate(clip), minlength=len(truth))
    with np.errstate(invalid="ignore"):
        return np.asarray(counts @ sums / (counts @ num_labels))


def accuracy(truth: Matrix, scores: Matrix, counts: Counts) -> Vector:
    """The share of clips whose class of highest score is their one label, for each resample."""
    right = scores.argmax(1) == truth.argmax(1)
    return np.asarray(counts @ right / counts.sum(1))


def accuracy_among_present(truth: Matrix, scores: Matrix, counts: Counts) -> Vector:
    """Accuracy where only classes that occur in the truth can be predicted."""
    present = truth.any(0)
    return accuracy(truth[:, present], scores[:, present], counts)


def measure_all(truth: Matrix, scores: Matrix, resamples: int, seed: int = 0) -> list[Measure]:
    """The measures over all classes, with bootstrap intervals when `resamples` is not 0."""
    functions: dict[str, Callable[[Matrix, Matrix, Counts], Vector]] = {
        "mAP": macro_map,
        "mAP micro": micro_map,
        "lwlrap": lwlrap,
    }
    if is_single_label(truth):
        functions |= {"accuracy": accuracy, "accuracy among present": accuracy_among_present}
    once = each_once(truth)
    counts = _resampled(len(truth), resamples, seed)
    return [
        Measure(name, float(function(truth, scores, once)[0]), *_interval(function, truth, scores, counts))
        for name, function in functions.items()
    ]


def measure_classes(truth: Matrix, scores: Matrix, names: list[str]) -> list[ClassMeasure]:
    """AP, AUC, d-prime and the threshold of the best F1 of every class."""
    once = each_once(truth)
    is_defined = has_both_labels(truth)
    measures = []
    for column, name in enumerate(names):
        positives = int(truth[:, column].sum())
        if not is_defined[column]:
            measures.append(ClassMeasure(name, positives, None, None, None, None, None))
            continue
        of_class = truth[:, column], scores[:, column]
        auc = _auc(*of_class)
        ap = float(average_precision(*of_class, once)[0])
        measures.append(ClassMeasure(name, positives, ap, auc, d_prime(auc), *best_threshold(*of_class)))
    return measures


def d_prime(auc: float) -> float:
    """d': the distance of two unit normal distributions with this AUC, in standard deviations; at most 11.2."""
    return 2**0.5 * NormalDist().inv_cdf(min(max(auc, 1e-15), 1 - 1e-15))


def best_threshold(truth: Vector, scores: Vector) -> tuple[float, float]:
    """The threshold of the best F1 of a class, and that F1.

    It lies half-way to the next score below, so that rounding moves no score across it.
    """
    precision, recall, thresholds = precision_recall(truth, scores)
    with np.errstate(invalid="ignore"):
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))[:-1]
    best = int(f1.argmax())
    below = thresholds[best - 1] if best else 0.0
    return float((thresholds[best] + below) / 2), float(f1[best])


def precision_recall(truth: Vector, scores: Vector) -> tuple[Vector, Vector, Vector]:
    """Precision and recall at every threshold, then 1 and 0, and the thresholds in rising order."""
    precision, recall, thresholds = _scikit_learn().precision_recall_curve(truth, scores)
    return precision, recall, thresholds


def confusion(truth: Matrix, scores: Matrix) -> NDArray[np.int64]:
    """Confusion matrix `(true class, predicted class)` in clips; truth must be single-label."""
    counts = np.zeros((truth.shape[1], truth.shape[1]), np.int64)
    np.add.at(counts, (truth.argmax(1), scores.argmax(1)), 1)
    return counts


def _auc(truth: Vector, scores: Vector) -> float:
    return float(_scikit_learn().roc_auc_score(truth, scores))


def require_scikit_learn() -> None:
    """MissingPackageError where scikit-learn is missing, before an hour of scoring."""
    _scikit_learn()


def _scikit_learn() -> Any:
    try:
        return import_module("sklearn.metrics")
    except ImportError as error:
        raise MissingPackageError(missing("evaluating needs scikit-learn", "train")) from error


def each_once(truth: Matrix) -> Counts:
    """The counts of all clips themselves."""
    return np.ones((1, len(truth)), np.int32)


def _resampled(num_clips: int, resamples: int, seed: int) -> Counts:
    """How often each clip is in each resample `(resamples, clips)`."""
    rng, counts = np.random.default_rng(seed), np.empty((resamples, num_clips), np.int32)
    for some in _blocks(counts, num_clips):
        counts[some] = rng.multinomial(num_clips, np.full(num_clips, 1 / num_clips), len(counts[some]))
    return counts


def _interval(
    function: Callable[[Matrix, Matrix, Counts], Vector], truth: Matrix, scores: Matrix, counts: Counts
) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval of a measure over resamples, None without any that has a value."""
    if not len(counts):
        return None, None
    values = function(truth, scores, counts)
    if np.isnan(values).all():
        return None, None
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
