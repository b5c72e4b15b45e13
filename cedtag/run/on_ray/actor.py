"""What runs on a machine of the cluster: a scorer with its decoders, which does what is sent to it."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cedtag
from cedtag.records import FileFailed, ScoredWindow, Source
from cedtag.run.local_outcomes import local_outcomes, opener
from cedtag.run.plan import pipeline_settings, scoring_of
from cedtag.scoring import open_scorer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.records import Outcome
    from cedtag.run.settings import RunSettings

MOST_WINDOWS = 256  # of one answer,
LONGEST_S = 2.0  # and how long it may be waited for, so that progress is seen


@dataclass(frozen=True, slots=True)
class Weights:
    """A checkpoint, and the bytes of its files by name: what a machine needs that does not share a disk."""

    checkpoint: Checkpoint
    files: Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Answer:
    """Some outcomes, in order, and whether they are the last of what was asked."""

    outcomes: list[Outcome]
    is_last: bool


class Actor:
    """Scores recordings, several calls at once. Everything of it is called from afar."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._asked: dict[int, Iterator[Outcome]] = {}

    def version(self) -> str:
        """The version of cedtag on this machine."""
        return cedtag.__version__

    def load(self, weights: Weights, settings: RunSettings) -> dict[str, Any]:
        """Load the model; what decides its numbers, to be compared with what the other actors say."""
        compute = settings.compute
        with tempfile.TemporaryDirectory(prefix="cedtag-") as folder:
            for name, content in weights.files.items():
                (Path(folder) / name).write_bytes(content.tobytes())
            checkpoint = _moved(weights.checkpoint, Path(folder))
            self._scorer = open_scorer(
                checkpoint, compute.backend, compute.device, compute.precision, compute.batch_size
            )
        self._settings = settings
        self._plan = pipeline_settings(settings, scoring_of(settings, self._scorer), self._scorer)
        self._open = opener(settings, self._scorer, self._stack)
        return dict(self._scorer.settings)

    def score(self, call: int, sources: Sequence[Source]) -> Answer:
        """The first outcomes of recordings; `more` gives the others."""
        self._asked[call] = local_outcomes(sources, self._open, self._scorer, self._settings, self._plan)
        return self.more(call)

    def more(self, call: int) -> Answer:
        """The next outcomes of what was asked in a call."""
        outcomes: list[Outcome] = []
        began = time.monotonic()
        for outcome in islice(self._asked[call], MOST_WINDOWS):
            outcomes.append(told_from_here(outcome))
            if time.monotonic() - began > LONGEST_S:
                return Answer(outcomes, is_last=False)
        if len(outcomes) == MOST_WINDOWS:
            return Answer(outcomes, is_last=False)
        del self._asked[call]
        return Answer(outcomes, is_last=True)


def _moved(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """The checkpoint with its files in another folder."""

    def there(path: Path | None) -> Path | None:
        return None if path is None else folder / path.name

    weights = folder / checkpoint.weights.name
    return replace(
        checkpoint, config=there(checkpoint.config), preprocessor=there(checkpoint.preprocessor), weights=weights
    )


def told_from_here(outcome: Outcome) -> Outcome:
    """The outcome; one of a file that this machine cannot see names the machine."""
    if isinstance(outcome, ScoredWindow) or not isinstance(outcome, FileFailed) or outcome.stage != "open":
        return outcome
    if os.path.lexists(outcome.source.path):
        return outcome
    return replace(outcome, error=f"{outcome.error} on the machine {socket.gethostname()}")
