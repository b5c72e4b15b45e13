"""The scores of overlapping windows that become events."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cedtag.labels.selection import Selector
    from cedtag.records import ScoredWindow, TagResult


@dataclass(frozen=True, slots=True)
class _Held:
    """A window that waits for those after it."""

    window: ScoredWindow
    scores: NDArray[np.float64]
    reached: NDArray[np.bool_]


class OverlapSelector:
    """Gives each window the tags of the classes that reach their threshold in it or in a window that overlaps it.

    An event is made of the mean over the windows that cover a moment. Where a class reaches its threshold in one of
    them, the mean needs its scores in the others, too, however low.
    """

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self._waiting: deque[_Held] = deque()
        self._passed: deque[_Held] = deque()  # done, but overlapping one that waits

    def add(self, window: ScoredWindow) -> Iterator[TagResult]:
        """Take the next window of a recording; those come out that no later one overlaps."""
        while self._waiting and self._waiting[0].window.stop <= window.start:
            yield self._next()
        scores = self._selector.scores(window)
        self._waiting.append(_Held(window, scores, scores >= self._selector.thresholds))

    def finish(self) -> Iterator[TagResult]:
        """The windows that are left at the end of a recording."""
        while self._waiting:
            yield self._next()
        self._passed.clear()

    def _next(self) -> TagResult:
        held = self._waiting.popleft()
        while self._passed and self._passed[0].window.stop <= held.window.start:
            self._passed.popleft()
        near = [held, *self._passed, *(one for one in self._waiting if one.window.start < held.window.stop)]
        self._passed.append(held)
        reached = [one.reached for one in near if one.window.channel == held.window.channel]
        return self._selector.result(held.window, held.scores, np.any(reached, axis=0))
