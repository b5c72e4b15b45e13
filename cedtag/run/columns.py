"""The scores of columns of tokens that become events: a row for each time step of the windows."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from cedtag.records import ScoredWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from cedtag.labels.selection import Selector
    from cedtag.records import TagResult

_CONTRAST = 0.5
_FURTHEST = 3.0  # that a neighbour counts as away, in log-odds
_SURE = 1e-6  # as near to 0 and 1 as log-odds are computed


def time_scores(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scores `(columns, classes)` by which events begin and end, from the probabilities of the columns of a window.

    Attention spreads a sound over its window: its class is likelier in all columns, though less than where the sound
    is. So log-odds below the best of their class in the window are lowered by half the distance to it. Before that they
    are smoothed: a column counts twice, its neighbours once each, so that one column that differs makes no event.
    """
    likely = np.clip(columns, np.float32(_SURE), np.float32(1 - _SURE))
    log_odds = np.log(likely / (1 - likely))
    steps = np.clip(np.diff(log_odds, axis=0), -_FURTHEST, _FURTHEST) / 4
    log_odds[:-1] += steps
    log_odds[1:] -= steps
    log_odds += _CONTRAST * (log_odds - log_odds.max(axis=0))
    scores: NDArray[np.float32] = 1 / (1 + np.exp(-log_odds))
    return scores


@dataclass(frozen=True, slots=True)
class _Covering:
    """A window whose columns apply from sample `start` to `stop`; the first one begins at `origin`."""

    origin: int
    start: int
    stop: int
    scores: NDArray[np.float64]  # (columns, labels)


@dataclass(slots=True)
class _Channel:
    """One channel of a recording: the windows that cover what comes next, and how far rows went out."""

    covering: deque[_Covering] = field(default_factory=deque)
    last: ScoredWindow | None = None
    done: int = 0
    num_rows: int = 0


class ColumnSelector:
    """Gives each column of tokens its tags, as if it were a window: rows of `column` samples in the place of windows.

    Where windows overlap, a moment has the mean over the columns at its middle. The last column of a window goes to the
    end of the window. The last window of a recording may overlap the one before although others do not; its columns
    then apply only to the part that does not. Neighbours without tags are one row. Scores are what `of` makes of the
    columns of a window.
    """

    def __init__(
        self,
        selector: Selector,
        window: int,
        hop: int,
        column: int,
        *,
        of: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = time_scores,
    ) -> None:
        self._of = of
        self._selector, self._window, self._hop, self._column = selector, window, hop, column
        self._channels: defaultdict[int, _Channel] = defaultdict(_Channel)

    def add(self, window: ScoredWindow) -> Iterator[TagResult]:
        """Take the next window of a recording; the rows before it come out."""
        assert window.columns is not None
        channel = self._channels[window.channel]
        start, last = window.start, channel.last
        if last is not None and (window.stop - start < self._window or start - last.start < self._hop):
            start = max(start, last.stop)
        yield from self._rows(channel, start)
        compared = window.columns if self._of is None else self._of(window.columns)
        scores = np.maximum(self._selector.scores_of(compared), 0)
        channel.covering.append(_Covering(window.start, start, window.stop, scores))
        channel.last, channel.done = window, start

    def finish(self) -> Iterator[TagResult]:
        """The rows that are left at the end of a recording."""
        for channel in self._channels.values():
            yield from self._rows(channel, max((one.stop for one in channel.covering), default=0))
        self._channels.clear()

    def _rows(self, channel: _Channel, until: int) -> Iterator[TagResult]:
        """The rows up to a moment before which all windows are known."""
        if channel.last is None:
            return
        edges = self._edges(channel, until)
        if len(edges) > 1:
            scores = self._means(channel, (edges[:-1] + edges[1:]) // 2)
            yield from self._tagged(channel, edges, scores)
        while channel.covering and channel.covering[0].stop <= until:
            channel.covering.popleft()

    def _edges(self, channel: _Channel, until: int) -> NDArray[np.int64]:
        """Where rows begin and end: with the columns of the latest window."""
        latest = channel.covering[-1]
        start, stop = channel.done, min(until, latest.stop)
        inside = latest.origin + self._column * np.arange(1, len(latest.scores))
        return np.array([start, *inside[(inside > start) & (inside < stop)], stop] if start < stop else [])

    def _means(self, channel: _Channel, moments: NDArray[np.int64]) -> NDArray[np.float64]:
        """The mean `(moments, labels)` over the windows that cover each, to the four decimals that are shown."""
        *earlier, latest = channel.covering
        means = self._at(moments, latest)  # which covers them all
        if earlier:
            counts = np.ones((len(moments), 1))
            for one in earlier:
                covered = (one.start <= moments) & (moments < one.stop)
                means[covered] += self._at(moments[covered], one)
                counts[covered] += 1
            means = (means / counts).round(4)
        return means

    def _at(self, moments: NDArray[np.int64], window: _Covering) -> NDArray[np.float64]:
        places = np.minimum((moments - window.origin) // self._column, len(window.scores) - 1)
        return window.scores[places]

    def _tagged(self, channel: _Channel, edges: NDArray[np.int64], scores: NDArray[np.float64]) -> Iterator[TagResult]:
        last = channel.last
        assert last is not None
        chosen = (scores >= self._selector.thresholds) & (scores > 0)
        has_tags = [bool(of_row.any()) for of_row in chosen]
        for is_tagged, run in groupby(range(len(scores)), key=has_tags.__getitem__):
            for places in ([place] for place in run) if is_tagged else [list(run)]:
                start, stop = int(edges[places[0]]), int(edges[places[-1] + 1])
                row = ScoredWindow(last.source, channel.num_rows, start, stop, last.probabilities, last.channel)
                channel.num_rows += 1
                yield self._selector.result(row, scores[places[0]], chosen[places[0]])
