"""The results of one recording, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from cedtag.errors import MissingPackageError
from cedtag.records import SAMPLE_RATE_HZ, SoundEvent, seconds
from cedtag.system.extras import install_command

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from numpy.typing import NDArray

    from cedtag.labels.table import Label
    from cedtag.records import FileEnd, TagResult

Item = TypeVar("Item", bound="TagResult | SoundEvent")
_TAG_COLUMNS = ("file", "start", "end", "rank", "index", "mid", "label", "score")
_EVENT_COLUMNS = ("file", "start", "end", "index", "mid", "label", "peak", "mean")


class RecordingResults(Sequence[Item]):
    """The windows with their tags, or the events, of one recording in order of time.

    `end` holds its length and what is wrong with it: `end.problems` is empty for a recording that is whole.
    """

    def __init__(self, items: Sequence[Item], end: FileEnd) -> None:
        self._items: tuple[Item, ...] = tuple(items)
        self.end = end

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Item]: ...
    def __getitem__(self, place: int | slice) -> Item | Sequence[Item]:
        return self._items[place]

    def __repr__(self) -> str:
        return f"<{len(self)} results of {self.end.source.name}, {self.duration_s:g} s, {self.end.status}>"

    @property
    def duration_s(self) -> float:
        """The length of the recording in seconds."""
        return self.end.num_samples / SAMPLE_RATE_HZ

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dictionary for each window or event, with times in seconds."""
        return [item.to_dict() for item in self]

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with the columns of csv: a row for each tag of a window, or for each event."""
        if any(isinstance(item, SoundEvent) for item in self):
            return _data_frame([item.to_dict() for item in self], _EVENT_COLUMNS)
        rows = [
            {**window, "rank": rank, **tag}
            for window in self.to_dicts()
            for rank, tag in enumerate(window.pop("tags"), 1)
        ]
        return _data_frame(rows, _TAG_COLUMNS)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The probabilities `(windows, classes)` float32 in [0, 1] of one recording, for the classes in `labels`.

    `start` and `stop` `(windows,)` are the samples, at 16 kHz, where each window begins and ends.
    """

    labels: tuple[Label, ...]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    scores: NDArray[np.float32]
    end: FileEnd

    def __len__(self) -> int:
        return len(self.scores)

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with a row per window: `start` and `end` in seconds, and a column per class."""
        rows = [
            {"start": seconds(start), "end": seconds(stop), **dict(zip(self._names(), row, strict=True))}
            for start, stop, row in zip(self.start.tolist(), self.stop.tolist(), self.scores.tolist(), strict=True)
        ]
        return _data_frame(rows, ("start", "end", *self._names()))

    def _names(self) -> list[str]:
        return [label.name for label in self.labels]


def _data_frame(rows: list[dict[str, Any]], columns: Sequence[str]) -> pandas.DataFrame:
    try:
        import pandas
    except ImportError as error:
        text = f"a data frame needs pandas, which is not installed: {install_command('pandas')}"
        raise MissingPackageError(text) from error
    return pandas.DataFrame(rows, columns=list(columns))
