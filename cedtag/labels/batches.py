"""The tags of many windows at once, of scores that are stored as whole ten thousandths."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cedtag.labels.selection import Selector
    from cedtag.records import Tag

    Scores = NDArray[np.uint16]

SCALE = 10_000  # of the four decimals that are shown
_AT_ONCE = 1 << 18  # scores that are looked at together: with a threshold of 0 each may become a tag
_BITS = 20  # of the place of a label and of a score in a sorting key
_MASK = (1 << _BITS) - 1


class BatchSelector:
    """Gives windows the tags that `selector` gives each of them, without an object for what is not shown.

    Of the model's classes it needs the columns of `classes` alone.
    """

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self.num_classes = 1 + max(selector.grouping.classes | selector.compared)
        self.classes = sorted(selector.grouping.classes | selector.compared)
        column = {index: place for place, index in enumerate(self.classes)}
        members = [selector.grouping.members(place) for place in range(len(selector.thresholds))]
        self._columns = np.array([column[index] for group in members for index in group])
        self._starts = np.cumsum([0, *map(len, members[:-1])])
        self._is_plain = all(len(group) == 1 for group in members)
        self._takes_all = self._is_plain and self._columns.tolist() == list(range(len(self.classes)))
        self._column = column
        # The lowest score that reaches each threshold: so whole numbers decide as their decimals would.
        self._least = np.searchsorted(np.arange(SCALE + 1) / SCALE, selector.thresholds).astype(np.uint16)[:, None]
        self._is_sifted = bool(selector.most_specific or selector.watched)
        self._cut = 0 if self._is_sifted else selector.top_k
        self._tag = lru_cache(maxsize=1 << 16)(self._made)

    def __call__(self, scores: Scores) -> Iterator[tuple[int, tuple[Tag, ...]]]:
        """Each row of `scores` `(windows, classes)` that gets tags, with these, best first."""
        step = max(1, _AT_ONCE // len(self._least))
        for first in range(0, len(scores), step):
            yield from self._tagged(first, scores[first : first + step])

    def reached(self, scores: Scores) -> NDArray[np.bool_]:
        """Whether a label reaches its threshold in each row `(windows,)` of `scores` `(windows, classes)`."""
        if not len(scores):
            return np.zeros(0, np.bool_)
        return np.asarray(self._candidates(scores.T)[1].any(axis=0))

    def _candidates(self, by_class: Scores) -> tuple[Scores, NDArray[np.bool_]]:
        """The scores of the labels `(labels, windows)`, and where they reach their thresholds."""
        scores = by_class if self._takes_all else by_class[self._columns]
        if not self._is_plain:
            scores = np.maximum.reduceat(scores, self._starts, axis=0)
        reached: NDArray[np.bool_] = scores >= self._least
        if self._selector.where is not None:
            reached &= self._selector.where(_Decimals(by_class, self._column))
        return scores, reached

    def _tagged(self, first: int, scores: Scores) -> Iterator[tuple[int, tuple[Tag, ...]]]:
        scores, reached = self._candidates(scores.T)
        places, rows = np.nonzero(reached)
        if not len(rows):
            return
        # By window, from the highest score down, and of equal scores by label.
        keys = (rows << (2 * _BITS)) | ((SCALE - scores[places, rows].astype(np.int64)) << _BITS) | places
        keys.sort()
        rows, tags = keys >> (2 * _BITS), keys & ((1 << (2 * _BITS)) - 1)
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        if self._cut:
            rank = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
            rows, tags = rows[rank < self._cut], tags[rank < self._cut]
            starts = np.flatnonzero(np.diff(rows, prepend=-1))
        found = list(map(self._tag, tags.tolist()))
        bounds = pairwise([*starts.tolist(), len(found)])
        for row, (begin, end) in zip((rows[starts] + first).tolist(), bounds, strict=True):
            window = tuple(found[begin:end])
            yield row, self._selector.shown(window) if self._is_sifted else window

    def _made(self, key: int) -> Tag:
        return self._selector.tag(key & _MASK, (SCALE - (key >> _BITS)) / SCALE)


class _Decimals:
    """The scores of each class `(windows,)` as the decimals with which conditions compare."""

    def __init__(self, by_class: Scores, column: dict[int, int]) -> None:
        self._by_class, self._column = by_class, column

    def __getitem__(self, index: int) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = self._by_class[self._column[index]] / SCALE
        return scores
