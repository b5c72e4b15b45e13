"""The row groups of a store in arrays, and what comes out of them: windows of one recording, or blocks of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow

from cedtag.errors import InputError
from cedtag.labels.tagged import SCALE
from cedtag.store.frames import COUNT, FRAME_COLUMNS, FramesOfGroup
from cedtag.store.schema import EMBEDDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from numpy.typing import NDArray

    from cedtag.labels.tagged import TagColumns
    from cedtag.records import Source
    from cedtag.store.frames import StoredFrames

    # Gives windows their scores, and tags.
    Choose: TypeAlias = "Callable[[Block], tuple[NDArray[np.uint16], TagColumns]]"

PLACE = ("id", "window", "channel", "start_sample", "stop_sample")
RESTORE = "restore the part as cedtag wrote it"
_BLOCK = 2048  # rows of which tags are chosen at once


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """Consecutive windows of one recording: `(n,)` arrays, times in samples at 16 kHz.

    `scores` `(n, classes)` uint16 are ten thousandths; `embeddings` `(n, d)` float16, `frames` of each window, and
    `tags` where they were asked for.
    """

    source: Source
    index: NDArray[np.int32]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    channel: NDArray[np.int16]
    scores: NDArray[np.uint16]
    embeddings: NDArray[np.float16] | None = None
    frames: list[StoredFrames] | None = None
    tags: TagColumns | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Windows in the order in which they lie in a part: the `ids` of their recordings, and what was asked for."""

    ids: NDArray[np.int64]
    index: NDArray[np.int32]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    channel: NDArray[np.int16]
    scores: NDArray[np.uint16]
    embeddings: NDArray[np.float16] | None
    frames: list[StoredFrames] | None = None


class Group:
    """A row group in arrays."""

    def __init__(self, table: pyarrow.Table, chosen: Chosen | None = None) -> None:
        self.ids, self._index, self._channel, self._start, self._stop = (table[name].to_numpy() for name in PLACE)
        has_embeddings = table.column_names[-1] == EMBEDDING and pyarrow.types.is_fixed_size_list(table[-1].type)
        self._frames = FramesOfGroup(table) if COUNT in table.column_names else None
        first = len(PLACE) + (0 if self._frames is None else len(FRAME_COLUMNS))
        last = len(table.column_names) - has_embeddings
        # A column after the other, as they come: `(rows, classes)` in Fortran's order.
        columns = [table[number].to_numpy() for number in range(first, last)]
        self._scores = np.stack(columns).T if columns else np.zeros((len(table), 0), np.uint16)
        self._embeddings: NDArray[np.float16] | None = None
        if has_embeddings:
            values = table[-1].combine_chunks()
            self._embeddings = values.flatten().to_numpy().reshape(len(table), -1)
        self._chosen = chosen

    def batches(self, source: Source, rows: slice) -> Iterator[WindowBatch]:
        """These windows, which are of one recording."""
        if self._chosen is None:
            yield self._batch(source, rows, self._scores[rows])
            return
        while rows.start < rows.stop:
            some, scores, tags = self._chosen.of(self, rows)
            yield self._batch(source, some, scores, tags)
            rows = slice(some.stop, rows.stop)

    def _batch(
        self, source: Source, rows: slice, scores: NDArray[np.uint16], tags: TagColumns | None = None
    ) -> WindowBatch:
        places = self._index[rows], self._start[rows], self._stop[rows], self._channel[rows]
        return WindowBatch(source, *places, scores, self._vectors(rows), self._frames_of(rows), tags)

    def block(self, rows: NDArray[np.bool_] | slice = slice(None)) -> Block:
        """All windows, or these."""
        places = self.ids[rows], self._index[rows], self._start[rows], self._stop[rows], self._channel[rows]
        return Block(*places, self._scores[rows], self._vectors(rows), self._frames_of(rows))

    def _frames_of(self, rows: NDArray[np.bool_] | slice) -> list[StoredFrames] | None:
        return None if self._frames is None else self._frames[rows]

    def _vectors(self, rows: NDArray[np.bool_] | slice) -> NDArray[np.float16] | None:
        return None if self._embeddings is None else self._embeddings[rows]


class Chosen:
    """What is chosen of a row group, in blocks; the last alone is kept, since a tag takes more memory than a score."""

    def __init__(self, choose: Choose, path: Path) -> None:
        self._choose, self._path = choose, path
        self._first = -1
        self._block: tuple[NDArray[np.uint16], TagColumns] | None = None

    def of(self, group: Group, rows: slice) -> tuple[slice, NDArray[np.uint16], TagColumns]:
        """The first of these rows, with their scores and tags; InputError for scores that are none."""
        first = rows.start - rows.start % _BLOCK
        if self._block is None or first != self._first:
            self._block = None  # first, so that memory holds no more than one
            block = group.block(slice(first, first + _BLOCK))
            if block.scores.max(initial=0) > SCALE:
                raise InputError(f"{self._path}: holds scores above 1; {RESTORE}")
            self._first, self._block = first, self._choose(block)
        scores, tags = self._block
        some = slice(rows.start, min(rows.stop, first + _BLOCK))
        return some, scores[some.start - first : some.stop - first], tags.of_rows(some.start - first, some.stop - first)
