"""Embeddings on their way through an engine: beside the scores, as if they were classes more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cedtag.records import ScoredWindow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cedtag.records import Outcome, Window
    from cedtag.scoring import EmbeddingScorer, WholeScorer


class Embedded:
    """A scorer whose `score` gives `(windows, classes + embedding_size)`; everything else is that of the one inside."""

    def __init__(self, scorer: EmbeddingScorer) -> None:
        self._scorer = scorer
        self.labels = scorer.labels

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scorer, name)

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._scorer.settings

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """Probabilities, and behind them the embedding, of each window."""
        return np.concatenate(self._scorer.score_embedded(windows), axis=1)

    def score_columns(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """The same, and the probabilities of columns, which have no embedding."""
        scores, embeddings, columns = cast("WholeScorer", self._scorer).score_whole(windows)
        return np.concatenate([scores, embeddings], axis=1), columns

    def divided(self, outcome: Outcome) -> Outcome:
        """The outcome of an engine that scores with this; of a window the embedding is by itself again."""
        if not isinstance(outcome, ScoredWindow):
            return outcome
        classes, both = len(self.labels), outcome.probabilities
        return replace(outcome, probabilities=both[:classes], embedding=both[classes:])
