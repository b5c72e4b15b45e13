"""What shapes events: thresholds, durations and pads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ONSET = 0.5


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Where events begin and end, in scores and seconds.

    An event begins where the score reaches `onset` and ends where it falls below `offset` (half the onset when None);
    `onsets` and `offsets` are those of single classes, by index. It is made longer by the pads; then gaps shorter than
    `min_duration_off_s` are filled, and events shorter than `min_duration_on_s` are left out.
    """

    onset: float = DEFAULT_ONSET
    offset: float | None = None
    min_duration_on_s: float = 0.0
    min_duration_off_s: float = 0.0
    pad_onset_s: float = 0.0
    pad_offset_s: float = 0.0
    onsets: Mapping[int, float] = field(default_factory=dict)
    offsets: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        durations = (self.min_duration_on_s, self.min_duration_off_s, self.pad_onset_s, self.pad_offset_s)
        if not all(0 <= duration < math.inf for duration in durations):
            raise InputError("the durations and pads of events are seconds from 0; name such numbers")
        scores = [*self.onsets.values(), *self.offsets.values(), self.onset, self.offset_of(-1)]
        if not all(0 < score <= 1 for score in scores):
            raise InputError("--onset and --offset are scores above 0 and up to 1; name such numbers")
        if self.offset is not None and self.offset > self.onset:
            raise InputError(
                f"--offset {self.offset} is above --onset {self.onset}; an event ends below where it begins"
            )

    def onset_of(self, index: int) -> float:
        """The score from which a class is heard."""
        return self.onsets.get(index, self.onset)

    def offset_of(self, index: int) -> float:
        """The score down to which a class goes on to be heard: never above its onset."""
        onset = self.onset_of(index)
        offset = self.offsets.get(index, self.offset)
        return onset / 2 if offset is None else min(offset, onset)

    def to_dict(self) -> dict[str, Any]:
        """The settings by option name; what single classes have stands with their index."""
        return {
            "onset": self.onset,
            "offset": self.offset_of(-1),
            "onsets": {str(index): self.onset_of(index) for index in sorted(self.onsets)},
            "offsets": {str(index): self.offset_of(index) for index in sorted({*self.onsets, *self.offsets})},
            "min-duration-on": self.min_duration_on_s,
            "min-duration-off": self.min_duration_off_s,
            "pad-onset": self.pad_onset_s,
            "pad-offset": self.pad_offset_s,
        }

    @property
    def lowest_offset(self) -> float:
        """The score below which nothing matters to any class."""
        return min(map(self.offset_of, (-1, *self.onsets, *self.offsets)))
