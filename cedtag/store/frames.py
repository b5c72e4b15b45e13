"""The scores of columns of tokens as a store keeps them: those that reach a least score, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow

from cedtag.labels.tagged import SCALE
from cedtag.store.facts import LEAST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    Entries = NDArray[np.uint16]

COUNT, LISTS = "frame_count", ("frame_class", "frame", "frame_score")
FRAME_COLUMNS = (COUNT, *LISTS)
ENTRY = np.dtype(("<u2", (len(LISTS),)))


@dataclass(frozen=True, slots=True)
class StoredFrames:
    """The `count` columns of one window: `entries` `(n, 3)` uint16 of class, column and score in ten thousandths."""

    count: int
    entries: Entries

    @classmethod
    def of(cls, scores: NDArray[np.float32]) -> StoredFrames:
        """What is kept of the scores `(columns, classes)`."""
        whole = np.rint(scores.T.astype(np.float64) * SCALE).astype(np.uint16)
        classes, columns = np.nonzero(whole >= round(LEAST * SCALE))
        return cls(len(scores), np.column_stack([classes, columns, whole[classes, columns]]).astype(np.uint16))

    def scores(self, num_classes: int, wanted: Collection[int] | None = None) -> NDArray[np.float32]:
        """The scores `(columns, classes)`, with 0 for those below the least; of nothing, one column for all.

        Of `wanted` classes alone if given, and of those below `num_classes`.
        """
        entries = self.entries[self.entries[:, 0] < num_classes]
        if wanted is not None and len(entries):
            entries = entries[np.isin(entries[:, 0], list(wanted))]
        scores = np.zeros((self.count if len(entries) else 1, num_classes), np.float32)
        scores[entries[:, 1], entries[:, 0]] = entries[:, 2] / np.float32(SCALE)
        return scores


def frame_fields() -> list[pyarrow.Field]:
    """The columns of a window's frames in a part."""
    lists = [pyarrow.field(name, pyarrow.list_(pyarrow.uint16()), nullable=False) for name in LISTS]
    return [pyarrow.field(COUNT, pyarrow.uint16(), nullable=False), *lists]


def frame_arrays(block: NDArray[np.void]) -> Iterator[pyarrow.Array]:
    """The same columns of a block of records."""
    yield pyarrow.array(np.ascontiguousarray(block[COUNT]))
    offsets = pyarrow.array(np.cumsum([0, *map(len, block["frames"])]), pyarrow.int32())
    entries: Entries = np.concatenate([np.zeros((0, len(LISTS)), np.uint16), *block["frames"]])
    for values in entries.T:
        yield pyarrow.ListArray.from_arrays(offsets, pyarrow.array(np.ascontiguousarray(values)))


class FramesOfGroup:
    """The frames of the windows in a row group."""

    def __init__(self, table: pyarrow.Table) -> None:
        lists: list[Any] = [table[name].combine_chunks() for name in LISTS]
        offsets = lists[0].offsets.to_numpy()
        self._counts = table[COUNT].to_numpy()
        self._offsets = offsets - offsets[0]
        self._entries: Entries = np.column_stack([one.flatten().to_numpy() for one in lists])

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> list[StoredFrames]:
        places = np.arange(len(self._counts))[rows].tolist()
        ends = self._offsets
        return [StoredFrames(int(self._counts[at]), self._entries[ends[at] : ends[at + 1]]) for at in places]
