"""The engine on a Ray cluster: this process lists and drains, actors decode and score."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import ray
from ray import cloudpickle

from cedtag.errors import CedtagError
from cedtag.records import ScoredWindow
from cedtag.run.on_ray.feed import Feed
from cedtag.run.on_ray.member import CALLS, ActorLost, Assignment, Member, asked
from cedtag.run.on_ray.parcel import Parcel, files_of
from cedtag.run.on_ray.session import layout
from cedtag.run.pipeline.threads import DaemonThreads
from cedtag.system.remote import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from typing import Any

    from cedtag.records import Listed, Outcome, Source
    from cedtag.run.cluster import Cluster
    from cedtag.run.engines import Recipe
    from cedtag.run.on_ray.actor import Answer
    from cedtag.run.on_ray.feed import Batch

_SECONDS_TO_END = 5.0
_PATIENCE_S = 120.0  # until one actor is up, at the start and whenever all are lost


class RayEngine:
    """Asks actors for the outcomes of recordings; an `Engine`. The process is connected to a cluster."""

    def __init__(self, recipe: Recipe, cluster: Cluster, on_actors: Callable[[int, int], object]) -> None:
        plan = layout(cluster, on_gpu=str(recipe.settings["device"]).startswith("cuda"))
        assignment = Assignment(ray.put(_parcel(recipe)), recipe.settings, plan)
        self._members = [Member(assignment) for _ in range(plan.actors)]
        self._feed = Feed(plan.actors, CALLS)
        self._numbers = count()
        self._last_up = time.monotonic()
        self._on_actors = on_actors

    def run(self, sources: Iterable[Listed]) -> Generator[Outcome, None, None]:
        """Yield the outcomes of all sources, in order; see `Engine`."""
        threads = DaemonThreads()
        try:
            threads.start("lister", self._feed.run, sources)
            for member in self._members:
                for _ in range(CALLS):
                    threads.start("member", self._serve, member)
            for batch in self._feed.batches():
                yield from batch.drained()
        finally:
            self._feed.close()
            for member in self._members:
                member.kill()
            threads.join(_SECONDS_TO_END)

    def _serve(self, member: Member) -> None:
        """Ask one actor for one batch after another, until the run is over."""
        try:
            while (actor := member.ready(self._goes_on)) is not None:
                self._on_actors(sum(one.is_up for one in self._members), len(self._members))
                if (batch := self._feed.take()) is None:
                    return
                with member.turn(alone=batch.is_suspect):
                    self._ask(member, actor, batch)
        except BaseException as error:  # noqa: BLE001 -- raised again where the batches are drained
            self._feed.fail(error)

    def _ask(self, member: Member, actor: Any, batch: Batch) -> None:
        try:
            while rest := batch.rest():
                self._ask_for(actor, batch, rest)
        except ActorLost as error:
            if not self._feed.is_closed:
                member.forget(actor)
                batch.lost(str(error))
                self._feed.give_back(batch)

    def _ask_for(self, actor: Any, batch: Batch, sources: Sequence[Source]) -> None:
        call, skip, number = next(self._numbers), batch.num_windows, 0
        answer: Answer = asked(actor.score, call, [_sent(source) for source in sources])
        while True:
            came: list[Outcome] = []
            for outcome in answer.outcomes:
                if skip and isinstance(outcome, ScoredWindow):
                    skip -= 1
                    continue
                skip = 0
                came.append(replace(outcome, source=sources[number]))
                number += not isinstance(outcome, ScoredWindow)
            batch.add(came)
            if answer.is_last:
                return
            answer = asked(actor.more, call)

    def _goes_on(self) -> bool:
        """Whether the run still wants an actor; CedtagError where it waits for the first one in vain."""
        if any(member.is_up for member in self._members):
            self._last_up = time.monotonic()
        elif time.monotonic() - self._last_up > _PATIENCE_S:
            raise CedtagError(
                f"`engine` ray: the cluster had no room for an actor for {_PATIENCE_S:.0f} s; see `ray status`"
            )
        return not self._feed.is_closed


def _parcel(recipe: Recipe) -> Parcel:
    """The recipe with the files of its checkpoints; CedtagError for one that cannot leave this process."""
    try:
        content: bytes = cloudpickle.dumps(recipe)
    except (TypeError, ValueError, AttributeError, RuntimeError, pickle.PicklingError) as error:
        raise CedtagError(
            f"`engine` ray: {recipe.name}: cannot be sent to another process ({error}); take another engine, or "
            "define it so that it can be pickled"
        ) from error
    return Parcel(content, tuple(map(files_of, recipe.checkpoints)))


def _sent(source: Source) -> Source:
    """The recording with a path that does not depend on the working folder."""
    if is_url(source.path):
        return source
    return replace(source, path=os.path.abspath(source.path))  # noqa: PTH100 -- that of Path follows links
