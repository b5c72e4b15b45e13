"""Which engine does the work of a run: this process, or what it describes to the actors of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.records import Listed, Outcome
    from cedtag.run.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Work:
    """The function from sources to their outcomes, in order, and the settings that decide a number of them."""

    outcomes: Callable[[Iterable[Listed]], Generator[Outcome, None, None]]
    settings: Mapping[str, Any]


class Recipe(Protocol):
    """How another process prepares the same work: a value that is pickled, while the files of `checkpoints` are sent.

    `settings` are those of the work as this process does it; there they have to be equal. `name` is for messages.
    """

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def checkpoints(self) -> Sequence[Checkpoint]: ...

    def prepared(self, checkpoints: Sequence[Checkpoint], cpus: int) -> Work:
        """The work, with the same checkpoints in other places, for a process that has so many processors."""


def outcomes_by(
    cluster: Cluster,
    sources: Iterable[Listed],
    here: Callable[[Iterable[Listed]], Generator[Outcome, None, None]],
    recipe: Callable[[], Recipe],
    on_actors: Callable[[int, int], object] = lambda at_work, number: None,
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of the sources, in their order: those of `here`, or as actors prepare it from the recipe.

    `on_actors` is told how many actors are at work, and of how many, from any thread.
    """
    if cluster.is_local:
        return here(sources)
    from cedtag.run.on_ray import cluster_outcomes  # here, because only such a run needs ray

    return cluster_outcomes(sources, recipe(), cluster, on_actors)
