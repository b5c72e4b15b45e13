"""How good a class is, measured on clips that it has not seen, with intervals that say how little few clips tell."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from cedtag.evaluation.metrics import average_precision, each_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cedtag.learning.logistic import Examples, Vector

_Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, such as yes clips that were found."""

    hits: int
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        n, share = self.total, self.hits / self.total
        middle, half = share + _Z**2 / (2 * n), _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        return max(0.0, (middle - half) / (1 + _Z**2 / n)), min(1.0, (middle + half) / (1 + _Z**2 / n))

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.hits} of {self.total} (95 %: {low:.0%} to {high:.0%})"


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures by cross-validation over clips: `found` of those that are yes, `false` of those that are no.

    A clip is found with a score of one half in any window. `ap` is the average precision of the clips' best scores.
    """

    found: Share
    false: Share
    ap: float

    def __str__(self) -> str:
        return f"found {self.found} that are yes, and took {self.false} that are no; average precision {self.ap:.2f}"


def quality_of(examples: Examples, held_out: Vector | None) -> Quality | None:
    """The quality that probabilities of held-out examples tell; None where there are none of an answer."""
    if held_out is None:
        return None
    measured = np.isfinite(held_out)
    is_yes, scores = _by_clip(examples[measured], held_out[measured])
    if not is_yes.any() or is_yes.all():
        return None
    taken = scores >= 0.5
    ap = average_precision(is_yes.astype(np.float64), scores, each_once(is_yes[:, None].astype(np.float64)))
    return Quality(
        Share(int(taken[is_yes].sum()), int(is_yes.sum())),
        Share(int(taken[~is_yes].sum()), int((~is_yes).sum())),
        float(ap[0]),
    )


def _by_clip(examples: Examples, scores: Vector) -> tuple[NDArray[np.bool_], Vector]:
    """For each clip its answer and its best score."""
    _, first, clip = np.unique(examples.clip, return_index=True, return_inverse=True)
    best = np.full(len(first), -np.inf)
    np.maximum.at(best, clip, scores)
    return examples.is_yes[first], best
