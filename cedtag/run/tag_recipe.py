"""The work of `cedtag tag`, as a value that other processes prepare it from."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cedtag.run.cluster import Cluster
from cedtag.run.engines import Work
from cedtag.run.local_outcomes import local_outcomes, opener
from cedtag.run.plan import pipeline_settings, scoring_of
from cedtag.scoring import load_model

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from cedtag.audio.piped_tar import PipedInput
    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.records import Listed, Outcome
    from cedtag.run.settings import RunSettings
    from cedtag.scoring import LoadedModel, Scorer


@dataclass(frozen=True, slots=True)
class TagRecipe:
    """The checkpoint and the settings of a run; a `Recipe`."""

    checkpoint: Checkpoint
    run: RunSettings
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.checkpoint.name

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        return (self.checkpoint,)

    def prepared(self, checkpoints: Sequence[Checkpoint], cpus: int) -> Work:
        """The same model, loaded, with its decoders; see `Recipe`."""
        compute = self.run.compute
        compute = replace(compute, jobs=compute.jobs or cpus, threads=compute.threads or cpus)
        scorer = load_model(checkpoints[0], compute).scorer
        return tag_work(replace(self.run, compute=compute), scorer, ExitStack())  # which the end of the process closes


def tag_recipe(model: LoadedModel, settings: RunSettings) -> TagRecipe:
    """What an actor is sent for a run of this process: all settings but those of the cluster."""
    return TagRecipe(model.checkpoint, replace(settings, cluster=Cluster()), dict(model.scorer.settings))


def tag_work(
    settings: RunSettings, scorer: Scorer, stack: ExitStack, stdin: PipedInput | None = None, *, is_live: bool = False
) -> Work:
    """Recordings, decoded and scored by this process, from standard input too; `stack` closes what that needs."""
    open_recording = opener(settings, scorer, stack, stdin)
    plan = pipeline_settings(settings, scoring_of(settings, scorer), scorer, is_live=is_live)

    def outcomes(sources: Iterable[Listed]) -> Generator[Outcome, None, None]:
        return local_outcomes(sources, open_recording, scorer, settings, plan)

    return Work(outcomes, dict(scorer.settings))
