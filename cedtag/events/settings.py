"""What shapes events: thresholds, durations and pads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cedtag.errors import InputError
from cedtag.labels.thresholds import thresholds_by_index
from cedtag.records import LONGEST_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cedtag.labels.table import Label


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Where events begin and end, in scores and seconds.

    An event begins where the score reaches `onset` and ends where it falls below `offset` (half the onset when None);
    `onsets` and `offsets` are those of single classes, by name, MID or index. It is made longer by the pads; then gaps
    shorter than `min_duration_off_s` are filled, and events shorter than `min_duration_on_s` are left out.
    """

    onset: float = 0.5
    offset: float | None = None
    min_duration_on_s: float = 0.0
    min_duration_off_s: float = 0.0
    pad_onset_s: float = 0.0
    pad_offset_s: float = 0.0
    onsets: Mapping[str | int, float] = field(default_factory=dict)
    offsets: Mapping[str | int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        durations = (self.min_duration_on_s, self.min_duration_off_s, self.pad_onset_s, self.pad_offset_s)
        if not all(0 <= duration <= LONGEST_S for duration in durations):
            raise InputError(f"the durations and pads of events are seconds from 0 to {LONGEST_S:g}; name such numbers")
        scores = [*self.onsets.values(), *self.offsets.values(), self.onset, self.offset_of(-1)]
        if not all(0 < score <= 1 for score in scores):
            raise InputError("`onset` and `offset` are scores above 0 and up to 1; name such numbers")
        if self.offset is not None and self.offset > self.onset:
            raise InputError(
                f"`offset` {self.offset} is above `onset` {self.onset}; an event ends below where it begins"
            )

    def for_labels(self, known: Sequence[Label]) -> EventSettings:
        """The same settings with an index for each name; InputError for a class that is none of those `known`."""
        onsets = thresholds_by_index(self.onsets, known, "onset")
        offsets = thresholds_by_index(self.offsets, known, "offset")
        return replace(self, onsets=onsets, offsets=offsets)

    def check_indices(self) -> None:
        """InputError when a class is still given by a name."""
        _indices([*self.onsets, *self.offsets])

    def onset_of(self, index: int) -> float:
        """The score at which an event of a class begins."""
        return self.onsets.get(index, self.onset)

    def offset_of(self, index: int) -> float:
        """The score below which an event of a class ends: never above its onset."""
        onset = self.onset_of(index)
        offset = self.offsets.get(index, self.offset)
        return onset / 2 if offset is None else min(offset, onset)

    def to_dict(self) -> dict[str, Any]:
        """The settings by option name; the scores of single classes stand with their index."""
        with_onset, with_offset = _indices(self.onsets), _indices([*self.onsets, *self.offsets])
        return {
            "onset": self.onset,
            "offset": self.offset_of(-1),
            "onsets": {str(index): self.onset_of(index) for index in with_onset},
            "offsets": {str(index): self.offset_of(index) for index in with_offset},
            "min-duration-on": self.min_duration_on_s,
            "min-duration-off": self.min_duration_off_s,
            "pad-onset": self.pad_onset_s,
            "pad-offset": self.pad_offset_s,
        }

    @property
    def lowest_offset(self) -> float:
        """The score below which nothing matters to any class."""
        return min(map(self.offset_of, (-1, *_indices([*self.onsets, *self.offsets]))))


def _indices(keys: Iterable[str | int]) -> list[int]:
    """The indices that have scores of their own, in order; names must have been looked up before."""
    names = [key for key in keys if isinstance(key, str)]
    if names:
        raise InputError(f"the classes {names} are not looked up yet; call `for_labels` with those of the model")
    return sorted({key for key in keys if isinstance(key, int)})
