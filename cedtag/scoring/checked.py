"""Scores that are numbers, or an error with the reason why they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import ModelError
from cedtag.records import Window, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cedtag.scoring import ColumnScorer, Scorer


def checked_scores(scorer: Scorer, windows: Sequence[Window]) -> NDArray[np.float32]:
    """The probabilities `(windows, classes)`, not finite only where the samples of a window are the reason.

    ModelError where they are not finite for silence either: the weights are finite and broken all the same.
    """
    return _checked(scorer, windows, scorer.score(windows))


def checked_columns(
    scorer: ColumnScorer, windows: Sequence[Window]
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """The same with the probabilities `(columns, classes)` of each window: see `ColumnScorer`."""
    scores, columns = scorer.score_columns(windows)
    return _checked(scorer, windows, scores), columns


def _checked(scorer: Scorer, windows: Sequence[Window], scores: NDArray[np.float32]) -> NDArray[np.float32]:
    finite = np.isfinite(scores).all(axis=1)
    if not finite.all():
        window = windows[int(np.argmin(finite))]
        silence = Window(window.source, 0, 0, np.zeros_like(window.samples))
        if not np.isfinite(scorer.score([silence])).all():
            raise ModelError(
                f"{scorer.name}: its scores are not finite numbers, first for {window.source.name} at "
                f"{seconds(window.start):.3f} s; its weights are damaged: get the checkpoint again, or use another"
            )
    return scores
