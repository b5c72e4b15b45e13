"""The tags of many windows at once, of scores that are stored as whole ten thousandths."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cedtag.labels.tagged import SCALE, TagColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cedtag.labels.selection import Selector
    from cedtag.records import Tag

    Scores = NDArray[np.uint16]

_AT_ONCE = 1 << 18  # scores that are looked at together: with a threshold of 0 each may become a tag
_BITS = 20  # of the place of a label and of a score in a sorting key
_MASK = (1 << _BITS) - 1


class BatchSelector:
    """Gives windows the tags that `selector` gives each of them, without an object for any.

    Of the model's classes it needs the columns of `classes` alone.
    """

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self.labels = selector.grouping.labels
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
        self._place_type = np.min_scalar_type(len(members))
        self._tag = lru_cache(maxsize=1 << 16)(self._made)

    def __call__(self, scores: Scores) -> TagColumns:
        """The tags of each row of `scores` `(windows, classes)`."""
        step = max(1, _AT_ONCE // len(self._least))
        counts, places, found = [np.zeros(1, np.int64)], [], []
        for first in range(0, len(scores), step):
            some = scores[first : first + step]
            rows, tags = self._tagged(some.T)
            counts.append(np.bincount(rows, minlength=len(some)))
            places.append((tags & _MASK).astype(self._place_type))
            found.append((SCALE - (tags >> _BITS)).astype(np.uint16))
        nothing = np.zeros(0, np.uint16)
        return TagColumns(
            np.cumsum(np.concatenate(counts)), np.concatenate([nothing, *places]), np.concatenate([nothing, *found])
        )

    def _candidates(self, by_class: Scores) -> tuple[Scores, NDArray[np.bool_]]:
        """The scores of the labels `(labels, windows)`, and where they reach their thresholds."""
        scores = by_class if self._takes_all else by_class[self._columns]
        if not self._is_plain:
            scores = np.maximum.reduceat(scores, self._starts, axis=0)
        reached: NDArray[np.bool_] = scores >= self._least
        if self._selector.where is not None:
            reached &= self._selector.where(_Decimals(by_class, self._column))
        return scores, reached

    def _tagged(self, by_class: Scores) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The window of each tag, and its sorting key within that: from the highest score down, and then by label."""
        scores, reached = self._candidates(by_class)
        places, rows = np.divmod(np.flatnonzero(reached.ravel()), reached.shape[1])
        keys = (rows << (2 * _BITS)) | ((SCALE - scores[places, rows].astype(np.int64)) << _BITS) | places
        keys.sort()
        rows, tags = keys >> (2 * _BITS), keys & ((1 << (2 * _BITS)) - 1)
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        if self._cut:
            rank = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
            return rows[rank < self._cut], tags[rank < self._cut]
        if self._is_sifted:
            is_shown = self._sifted(tags.tolist(), [*starts.tolist(), len(rows)])
            return rows[is_shown], tags[is_shown]
        return rows, tags

    def _sifted(self, keys: list[int], starts: list[int]) -> NDArray[np.bool_]:
        """Which tags are shown, where that depends on the others of the window."""
        tags = list(map(self._tag, keys))
        is_shown = []
        for begin, end in pairwise(starts):
            shown = set(self._selector.shown(tuple(tags[begin:end])))
            is_shown += [tag in shown for tag in tags[begin:end]]
        return np.array(is_shown, np.bool_)

    def _made(self, key: int) -> Tag:
        return self._selector.tag(key & _MASK, (SCALE - (key >> _BITS)) / SCALE)


class _Decimals:
    """The scores of each class `(windows,)` as the decimals with which conditions compare."""

    def __init__(self, by_class: Scores, column: dict[int, int]) -> None:
        self._by_class, self._column = by_class, column

    def __getitem__(self, index: int) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = self._by_class[self._column[index]] / SCALE
        return scores
