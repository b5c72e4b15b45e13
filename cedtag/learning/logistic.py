"""Logistic regression on embeddings: its penalty is chosen, and its quality measured, by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.errors import MissingPackageError
from cedtag.system.extras import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Vector = NDArray[np.float64]

# Inverse strengths of the L2 penalty on features of unit variance. Without enough examples to choose, the usual one.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
USUAL_STRENGTH = 1e-1
MOST_FOLDS = 5
FEWEST_TO_CHOOSE = 4  # examples of each answer
_MAX_ITERATIONS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Features `(n, d)`, answers `(n,)`, and for each the number of the clip `(n,)` that it is a window of."""

    features: Matrix
    is_yes: NDArray[np.bool_]
    clip: NDArray[np.int64]

    def __getitem__(self, rows: NDArray[Any]) -> Examples:
        return Examples(self.features[rows], self.is_yes[rows], self.clip[rows])

    def num_clips(self, is_yes: bool) -> int:
        """The number of clips with this answer."""
        return len(np.unique(self.clip[self.is_yes == is_yes]))

    @property
    def fewest(self) -> int:
        """The number of clips of the rarer answer."""
        return min(self.num_clips(is_yes=True), self.num_clips(is_yes=False))


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """The usual values of features: their `mean` and `deviation` `(d,)`, over windows of the archive."""

    mean: Vector
    deviation: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The weights `(d,)` of features as they come, the bias, and the strength of the penalty that was chosen."""

    weight: Vector
    bias: float
    strength: float

    def probabilities(self, features: Matrix) -> Vector:
        """The probabilities `(n,)` of yes."""
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-(features @ self.weight + self.bias))))


def scale_of(features: Matrix) -> Scale:
    """The scale of features; what does not vary keeps its own."""
    deviation = features.std(0)
    return Scale(features.mean(0), np.where(deviation > 1e-6, deviation, 1.0))


def fit(examples: Examples, scale: Scale) -> Fit:
    """The classifier that these examples make, both answers counting the same however many examples they have.

    A clip of many windows counts as one with few. The penalty is that of the least loss in cross-validation, if there
    are enough clips for one.
    """
    scaled = Examples((examples.features - scale.mean) / scale.deviation, examples.is_yes, examples.clip)
    strength = _chosen_strength(scaled)
    weight, bias = _fitted(scaled, strength)
    weight = weight / scale.deviation
    return Fit(weight, bias - float(weight @ scale.mean), strength)


def held_out(examples: Examples, scale: Scale) -> Vector | None:
    """The probability of each example by a classifier that has seen no window of its clip, nor chosen by it.

    None where an answer has one clip alone; NaN for an example whose fold would leave one answer to learn from.
    """
    if examples.fewest < 2:
        return None
    found = np.full(len(examples.is_yes), np.nan)
    for train, test in _folds(examples):
        found[test] = fit(examples[train], scale).probabilities(examples.features[test])
    return found


def _chosen_strength(scaled: Examples) -> float:
    if scaled.fewest < FEWEST_TO_CHOOSE:
        return USUAL_STRENGTH
    losses = np.zeros(len(STRENGTHS))
    for train, test in _folds(scaled):
        for number, strength in enumerate(STRENGTHS):
            weight, bias = _fitted(scaled[train], strength)
            losses[number] += _loss(scaled[test], weight, bias)
    return STRENGTHS[int(losses.argmin())]


def _loss(scaled: Examples, weight: Vector, bias: float) -> float:
    """The cross-entropy, weighted as in the fit."""
    logits = scaled.features @ weight + bias
    losses = np.logaddexp(0, np.where(scaled.is_yes, -logits, logits))
    return float(losses @ _weights(scaled))


def _folds(examples: Examples) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Which examples are learned from and which are tested, in up to five ways; no clip is on both sides."""
    folds = require_scikit_learn("model_selection").StratifiedGroupKFold(
        min(MOST_FOLDS, examples.fewest), shuffle=True, random_state=0
    )
    for train, test in folds.split(examples.features, examples.is_yes, examples.clip):
        if examples.is_yes[train].any() and not examples.is_yes[train].all():
            yield train, test


def _fitted(scaled: Examples, strength: float) -> tuple[Vector, float]:
    model = require_scikit_learn("linear_model").LogisticRegression(C=strength, max_iter=_MAX_ITERATIONS)
    model.fit(scaled.features, scaled.is_yes, sample_weight=_weights(scaled))
    return model.coef_[0], float(model.intercept_[0])


def _weights(examples: Examples) -> Vector:
    """Half of the number of clips for each answer, spread evenly over its clips, and over the windows of each."""
    _, place, num_windows = np.unique(examples.clip, return_inverse=True, return_counts=True)
    weights = 1 / num_windows[place]
    for answer in (examples.is_yes, ~examples.is_yes):
        total = weights[answer].sum()
        weights[answer] *= len(num_windows) / 2 / total if total else 0
    return np.asarray(weights)


def require_scikit_learn(module: str = "linear_model") -> Any:
    """A module of scikit-learn; MissingPackageError where it is not installed."""
    try:
        return import_module(f"sklearn.{module}")
    except ImportError as error:
        raise MissingPackageError(missing("learning a class needs scikit-learn", "train")) from error
