"""What runs on a machine of the cluster: work that was prepared from a recipe, and does what is sent to it."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cedtag
from cedtag.records import FileFailed, ScoredWindow, Source
from cedtag.run.on_ray.parcel import Parcel, work_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cedtag.records import Outcome

MOST_WINDOWS, MOST_BYTES = 256, 1 << 20  # of one answer,
LONGEST_S = 2.0  # and how long it may be waited for, so that progress is seen


@dataclass(frozen=True, slots=True)
class Answer:
    """Some outcomes, in order, and whether they are the last of what was asked."""

    outcomes: list[Outcome]
    is_last: bool


class Actor:
    """Decodes and scores recordings, several calls at once. Everything of it is called from afar."""

    def __init__(self) -> None:
        self._asked: dict[int, Iterator[Outcome]] = {}

    def version(self) -> str:
        """The version of cedtag on this machine."""
        return cedtag.__version__

    def load(self, parcel: Parcel, cpus: int) -> dict[str, Any]:
        """Prepare the work; what decides its numbers, to be compared with what the driver and the other actors say."""
        self._work = work_of(parcel, cpus)
        return dict(self._work.settings)

    def score(self, call: int, sources: Sequence[Source]) -> Answer:
        """The first outcomes of recordings; `more` gives the others."""
        self._asked[call] = self._work.outcomes(sources)
        return self.more(call)

    def more(self, call: int) -> Answer:
        """The next outcomes of what was asked in a call."""
        outcomes: list[Outcome] = []
        num_bytes, began = 0, time.monotonic()
        for outcome in self._asked[call]:
            outcomes.append(told_from_here(outcome))
            num_bytes += _size(outcome)
            is_long = time.monotonic() - began > LONGEST_S
            if is_long or len(outcomes) == MOST_WINDOWS or num_bytes >= MOST_BYTES:
                return Answer(outcomes, is_last=False)
        del self._asked[call]
        return Answer(outcomes, is_last=True)


def _size(outcome: Outcome) -> int:
    """The bytes of the arrays of a window."""
    if not isinstance(outcome, ScoredWindow):
        return 0
    return sum(
        array.nbytes for array in (outcome.probabilities, outcome.embedding, outcome.columns) if array is not None
    )


def told_from_here(outcome: Outcome) -> Outcome:
    """The outcome; one of a file that this machine cannot see names the machine."""
    if isinstance(outcome, ScoredWindow) or not isinstance(outcome, FileFailed) or outcome.stage != "open":
        return outcome
    if os.path.lexists(outcome.source.path):
        return outcome
    return replace(outcome, error=f"{outcome.error} on the machine {socket.gethostname()}")
