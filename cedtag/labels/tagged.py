"""Windows with their tags, many at once: the columns of what `TagResult` holds for one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from cedtag.records import Result, Tag, TagResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.labels.table import Label
    from cedtag.records import Source

SCALE = 10_000  # a score is shown, and stored, as the whole number that its four decimals make


@dataclass(frozen=True, slots=True, eq=False)
class TagColumns:
    """The tags of consecutive windows, best first: those of window `n` are from `starts[n]` to `starts[n + 1]`.

    Of each tag, the place among the labels and the score in ten thousandths.
    """

    starts: NDArray[np.int64]
    places: NDArray[np.unsignedinteger[Any]]
    scores: NDArray[np.uint16]

    def of_rows(self, first: int, last: int) -> TagColumns:
        """The tags of the windows from `first` to before `last`."""
        starts = self.starts[first : last + 1]
        begin, end = starts[0], starts[-1]
        return TagColumns(starts - begin, self.places[begin:end], self.scores[begin:end])


@dataclass(frozen=True, slots=True, eq=False)
class TaggedWindows:
    """Consecutive windows `(n,)` of one recording with their tags, of which `labels` are what the places mean."""

    source: Source
    index: NDArray[np.int32]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    channel: NDArray[np.int16]
    tags: TagColumns
    labels: tuple[Label, ...]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def where(self) -> Iterator[tuple[int, int, int]]:
        """The start, stop and channel of each window."""
        return zip(self.start.tolist(), self.stop.tolist(), self.channel.tolist(), strict=True)

    def without_silence(self, rows: NDArray[np.intp]) -> TaggedWindows:
        """These rows; the others must have no tags."""
        if len(rows) == len(self):
            return self
        return self._of(rows, replace(self.tags, starts=self.tags.starts[[*rows, -1]]))

    def in_pieces(self, num_tags: int) -> Iterator[TaggedWindows]:
        """The windows in pieces with so many tags at most, or of one window, all in turn."""
        starts, first = self.tags.starts, 0
        while first < len(self):
            last = max(first + 1, int(starts.searchsorted(starts[first] + num_tags, "right")) - 1)
            is_whole = last - first == len(self)
            yield self if is_whole else self._of(slice(first, last), self.tags.of_rows(first, last))
            first = last

    def _of(self, rows: slice | NDArray[np.intp], tags: TagColumns) -> TaggedWindows:
        index, start, stop, channel = self.index[rows], self.start[rows], self.stop[rows], self.channel[rows]
        return TaggedWindows(self.source, index, start, stop, channel, tags, self.labels)

    def results(self) -> Iterator[TagResult]:
        """The same, one by one."""
        tags = [
            Tag((label := self.labels[place]).index, label.mid, label.name, score / SCALE)
            for place, score in zip(self.tags.places.tolist(), self.tags.scores.tolist(), strict=True)
        ]
        bounds = pairwise(self.tags.starts.tolist())
        for index, (start, stop, channel), (begin, end) in zip(self.index.tolist(), self.where, bounds, strict=True):
            yield TagResult(self.source, index, start, stop, tuple(tags[begin:end]), channel)


Results: TypeAlias = Result | TaggedWindows  # one, or many at once


def one_by_one(results: Iterable[Results]) -> Iterator[Result]:
    """Each result by itself."""
    for result in results:
        if isinstance(result, TaggedWindows):
            yield from result.results()
        else:
            yield result
