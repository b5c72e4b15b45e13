"""The work of storing views: here, or as a value that other processes prepare it from."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from cedtag.audio import Decoders, Decoding
from cedtag.checkpoints.locate import Checkpoint
from cedtag.distill.data import clips_of
from cedtag.distill.scorer import ViewScorer
from cedtag.distill.teachers import maker_of, teacher_of
from cedtag.run.engines import Work
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.run.settings import Reading
from cedtag.scoring.torch_device import find_device, find_precision
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from cedtag.distill.settings import DistillStoreCompute
    from cedtag.distill.store import StoreFacts
    from cedtag.distill.teachers import Teacher
    from cedtag.records import Listed, Outcome


@dataclass(frozen=True, slots=True)
class ViewRecipe:
    """The facts of a store and what makes its teachers: checkpoints, which are loaded again, or they themselves.

    A `Recipe`.
    """

    facts: StoreFacts
    compute: DistillStoreCompute
    makers: tuple[Checkpoint | Teacher, ...]

    @property
    def name(self) -> str:
        return ", ".join(maker.name for maker in self.makers)

    @property
    def settings(self) -> Mapping[str, Any]:
        return _settings(self.facts)

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        return tuple(maker for maker in self.makers if isinstance(maker, Checkpoint))

    def prepared(self, checkpoints: Sequence[Checkpoint], cpus: int) -> Work:
        """The same teachers, with their decoders; see `Recipe`."""
        device = find_device(self.facts.device)
        precision = find_precision(self.facts.precision, device)
        moved = iter(checkpoints)
        teachers = [
            teacher_of(next(moved), device, precision) if isinstance(maker, Checkpoint) else maker
            for maker in self.makers
        ]
        jobs, threads = self.compute.jobs or cpus, self.compute.threads or cpus
        compute = replace(self.compute, device=self.facts.device, jobs=jobs, threads=threads)
        return view_work(teachers, replace(self.facts, teachers=_digests(teachers)), compute, ExitStack())


def view_recipe(teachers: Sequence[Teacher], facts: StoreFacts, compute: DistillStoreCompute) -> ViewRecipe:
    """What an actor is sent to give the views the same scores."""
    return ViewRecipe(facts, compute, tuple(map(maker_of, teachers)))


def view_work(teachers: Sequence[Teacher], facts: StoreFacts, compute: DistillStoreCompute, stack: ExitStack) -> Work:
    """Clips, cut and scored by this process; `stack` closes what that needs. The device is that of `compute`."""
    decoders = stack.enter_context(Decoders(Decoding(isolate=facts.device != "cpu")))
    scorer = ViewScorer(teachers, facts, find_device(compute.device))
    plan = _plan(compute, facts)

    def outcomes(sources: Iterable[Listed]) -> Generator[Outcome, None, None]:
        return score_recordings(sources, decoders.open, scorer, plan)

    return Work(outcomes, _settings(facts))


def _settings(facts: StoreFacts) -> dict[str, Any]:
    """What of a store decides the scores of a view."""
    return {"device": facts.device, "precision": facts.precision, "teachers": [digest for _, digest in facts.teachers]}


def _digests(teachers: Sequence[Teacher]) -> tuple[tuple[str, str], ...]:
    return tuple((teacher.name, teacher.digest) for teacher in teachers)


def _plan(compute: DistillStoreCompute, facts: StoreFacts) -> PipelineSettings:
    """How recordings are cut, and spread over threads."""
    # As many as score in `cedtag tag`: see `scoring_threads` there.
    threads = compute.threads or (usable_cpus() + 1 if facts.device == "cpu" else 1)
    return PipelineSettings(
        facts.chunk,
        facts.chunk,
        compute.jobs or usable_cpus(),
        threads,
        Reading().timeout_s,
        cut=partial(clips_of, size=facts.chunk),
    )
