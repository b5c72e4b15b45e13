"""The work of an evaluation: the clips of recordings get scores, here or as another process prepares it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cedtag.errors import AudioError
from cedtag.inputs.segments import SegmentedSource, read_segments
from cedtag.inputs.windows import sliding_windows
from cedtag.records import Source
from cedtag.run.engines import Work
from cedtag.scoring import Compute, load_model
from cedtag.scoring.checked import checked_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.evaluation.metrics import Vector
    from cedtag.inputs.manifest import Example
    from cedtag.records import Listed, Outcome
    from cedtag.scoring import LoadedModel, Scorer


@dataclass(frozen=True, slots=True)
class ClipRecipe:
    """A checkpoint with what computes, the samples of a window, and how many recordings are scored at once.

    A `Recipe`.
    """

    checkpoint: Checkpoint
    compute: Compute
    window: int
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.checkpoint.name

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        return (self.checkpoint,)

    def prepared(self, checkpoints: Sequence[Checkpoint], cpus: int) -> Work:
        """The same model, loaded; see `Recipe`."""
        scorer = load_model(checkpoints[0], self.compute).scorer
        pool = ThreadPoolExecutor(self.compute.jobs or cpus, initializer=scorer.prepare_thread)
        return clip_work(scorer, self.window, pool)


def clip_recipe(model: LoadedModel, window: int, jobs: int | None) -> ClipRecipe:
    """What an actor is sent to give clips the scores that the model gives here."""
    scorer = model.scorer
    device = scorer.device.partition(":")[0]  # a card has another number on another machine
    compute = Compute(str(scorer.settings["backend"]), device, scorer.precision, scorer.batch_size, jobs)
    return ClipRecipe(model.checkpoint, compute, window, dict(scorer.settings))


def clip_work(scorer: Scorer, window: int, pool: Executor, on_clip: Callable[[], object] = lambda: None) -> Work:
    """For each clip the highest score of any of its windows; the threads of `pool` call `on_clip` after each."""

    def best_scores(segment: Example, samples: NDArray[np.float32]) -> Vector:
        source = Source(segment.path, segment.name, segment.name)
        windows = list(sliding_windows([samples], source, window, window))
        scores = _best_scores(segment, checked_scores(scorer, windows))
        on_clip()
        return scores

    def outcomes(sources: Iterable[Listed]) -> Generator[Outcome, None, None]:
        recordings = cast("Iterable[SegmentedSource]", sources)
        return read_segments(recordings, scorer.shortest_window, best_scores, pool)

    return Work(outcomes, dict(scorer.settings))


def _best_scores(segment: Example, scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """The highest score of each class `(classes,)` in any window; AudioError where one is not finite."""
    if not np.isfinite(scores).all():
        raise AudioError(f"{segment.name}: its scores are not finite numbers", stage="score")
    best: NDArray[np.float64] = scores.max(0).astype(np.float64)
    return best
