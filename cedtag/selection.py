"""Probabilities -> the tags that are shown: which classes, from which score on, how many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cedtag.records import Tag, TagResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cedtag.labels import Label
    from cedtag.records import ScoredWindow


@dataclass(frozen=True, slots=True)
class Selector:
    """Keeps the `top_k` best classes (0: all) whose score reaches their own threshold `(classes,)`; inf keeps none."""

    labels: Sequence[Label]
    thresholds: NDArray[np.float64]
    top_k: int

    def __call__(self, scored: ScoredWindow) -> TagResult:
        """The window's tags, best first; equal scores stand in the order of the classes.

        Scores are rounded before they are compared, so that the number that is shown is the number that decided.
        """
        scores = np.round(scored.probabilities.astype(np.float64), 4)
        chosen = np.flatnonzero(scores >= self.thresholds)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")][: self.top_k or None]
        tags = tuple(self._tag(int(i), float(scores[i])) for i in chosen)
        return TagResult(scored.source, scored.index, scored.start, scored.stop, tags)

    def _tag(self, index: int, score: float) -> Tag:
        label = self.labels[index]
        return Tag(label.index, label.mid, label.name, score)
