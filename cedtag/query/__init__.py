"""Questions to a store of scores, answered as `cedtag tag` would answer them with the recordings."""

from __future__ import annotations

from dataclasses import dataclass

from cedtag.errors import InputError

WAYS = ("day", "hour", "folder")


@dataclass(frozen=True, slots=True)
class Counting:
    """Whether counts are wanted in place of rows, and `by` what: "day", "hour" (of the day) or "folder"."""

    hours: bool = False
    by: str | None = None

    def __post_init__(self) -> None:
        if self.by not in (None, *WAYS):
            raise InputError(f"`by` {self.by}: counts are made by {', '.join(WAYS)}")

    @property
    def is_wanted(self) -> bool:
        """Whether there are counts in place of rows."""
        return self.hours or self.by is not None
