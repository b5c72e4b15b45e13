"""A start time that was found, with where it was found and what is doubtful about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class FoundTime:
    """The time `at` which a recording began, by `origin`; `has_zone` says whether that carried its own offset.

    `notes` are warnings about this recording. `guess` is an assumption that concerns all recordings of its kind.
    """

    at: datetime
    origin: str
    has_zone: bool = False
    notes: tuple[str, ...] = ()
    guess: str = ""

    def noted(self, note: str) -> FoundTime:
        """The same with one more warning."""
        return replace(self, notes=(*self.notes, note))

    def guessed(self, guess: str) -> FoundTime:
        """The same with an assumption."""
        return replace(self, guess=guess)

    def shown(self) -> str:
        """The time as text: with the offset from UTC if it carried one."""
        return (self.at if self.has_zone else self.at.replace(tzinfo=None)).isoformat()

    def agrees_with(self, other: FoundTime) -> bool:
        """Whether both mean the same time within a second, or would in the zone of the other."""
        return any(abs(one - two) <= _CLOSE for one, two in self._comparable(other))

    def _comparable(self, other: FoundTime) -> Iterator[tuple[datetime, datetime]]:
        for fold in (0, 1):  # what a change of the clocks leaves open, the other time settles
            yield self.at.replace(fold=fold).astimezone(timezone.utc), other.at.astimezone(timezone.utc)
        if not (self.has_zone and other.has_zone):
            yield self.at.replace(tzinfo=None), other.at.replace(tzinfo=None)
        for one, two in ((self, other), (other, self)):
            if one.has_zone and not two.has_zone:  # two may be in UTC
                yield one.at.astimezone(timezone.utc).replace(tzinfo=None), two.at.replace(tzinfo=None)
