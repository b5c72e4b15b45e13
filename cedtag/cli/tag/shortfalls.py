"""What is said at the end of a run about recordings that failed or are partial, and what can be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cedtag.records import MISSING, PASSING_STAGES, AlreadyDone, FileEnd, FileFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.records import Outcome
    from cedtag.run.outputs.destination import Destination

_MOST_NAMED = 3


@dataclass(slots=True)
class Names:
    """The first few names, and how many there are."""

    first: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.first) < _MOST_NAMED:
            self.first.append(name)

    def __str__(self) -> str:
        more = self.count - len(self.first)
        return ", ".join(self.first) + (f" and {more:,} more" if more else "")


@dataclass(slots=True)
class Shortfalls:
    """Recordings that failed or are partial, now or in an earlier run of the same command."""

    now: dict[str, Names] = field(default_factory=lambda: {"failed": Names(), "partial": Names()})
    earlier: dict[str, Names] = field(default_factory=lambda: {"failed": Names(), "partial": Names()})
    lacking: int = 0  # failed for a package that is not installed
    passing: int = 0  # failed or partial for another cause that can pass

    def add(self, outcome: Outcome) -> None:
        if isinstance(outcome, AlreadyDone) and outcome.status in self.earlier:
            self.earlier[outcome.status].add(outcome.source.name)
        elif isinstance(outcome, FileFailed):
            self.now["failed"].add(outcome.source.name)
            self.lacking += outcome.stage == MISSING
            self.passing += outcome.stage in PASSING_STAGES and outcome.stage != MISSING
        elif isinstance(outcome, FileEnd) and outcome.problems:
            self.now["partial"].add(outcome.source.name)
            self.passing += outcome.cause in PASSING_STAGES

    def of_this_run(self, destination: Destination) -> Iterator[str]:
        """What fell short, by name where there are several, and the next step. What was alone was named as it came."""
        for status, names in self.now.items():
            if names.count > 1:
                yield f"{status}: {names}{_reasons(destination)}"
        if self.lacking > 1:
            yield f"{self.lacking:,} of them need PyAV; once it is installed, the same command reads them"
        elif self.lacking:
            yield "once PyAV is installed, the same command reads it"
        if self.passing and destination.keeps_journal:
            yield "use --retry-failed to try again what a time limit, a crash or the disk has cut short"

    def of_store(self, destination: Destination) -> Iterator[str]:
        """What fell short when a store was written, by name."""
        for status, names in self.now.items():
            if names.count:
                yield f"{status}: {names}{_reasons(destination)}"

    def of_earlier_runs(self, destination: Destination) -> Iterator[str]:
        """What fell short earlier and was not tried again, and the next step."""
        for status, names in self.earlier.items():
            again = "; use --retry-failed to try again" if status == "failed" else ""
            if names.count:
                yield f"{status} earlier: {names}{_reasons(destination)}{again}"


def _reasons(destination: Destination) -> str:
    return f"; reasons: {destination.errors}" if destination.errors else ""
