"""How much of what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.labels.tagged import TaggedWindows
from cedtag.records import SoundEvent, TagResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.labels.tagged import Results


@dataclass(slots=True)
class Written:
    """Counts of what went through; recordings are told apart by their names, as they follow one another."""

    recordings: int = 0
    windows: int = 0
    tags: int = 0
    events: int = 0

    def counted(self, results: Iterable[Results]) -> Iterator[Results]:
        """Pass the results on, and count them."""
        name = None
        for result in results:
            self.recordings += result.source.name != name
            name = result.source.name
            if isinstance(result, TagResult):
                self.windows += 1
                self.tags += len(result.tags)
            elif isinstance(result, TaggedWindows):
                self.windows += len(result)
                self.tags += len(result.tags.places)
            self.events += isinstance(result, SoundEvent)
            yield result

    def __str__(self) -> str:
        counts = [(self.tags, "tag"), (self.windows, "window"), (self.events, "event"), (self.recordings, "recording")]
        return ", ".join(_counted(count, noun) for count, noun in counts if count) or "no results"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
