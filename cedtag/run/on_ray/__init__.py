"""Runs whose recordings are decoded and scored by the actors of a Ray cluster.

The driver, which is the process of the command, lists sources and writes results as in every run. It asks actors for
batches of recordings, and takes their outcomes in order; so everything that a run promises holds here too.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from cedtag.records import Source
from cedtag.run.on_ray.session import connected

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from cedtag.records import Listed, Outcome
    from cedtag.run.cluster import Cluster
    from cedtag.run.engines import Recipe


def cluster_outcomes(
    sources: Iterable[Listed],
    recipe: Recipe,
    cluster: Cluster,
    on_actors: Callable[[int, int], object] = lambda at_work, number: None,
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of the sources, in their order, as the actors of a cluster do the work of the recipe.

    Nothing is started before there is a recording to be scored. `on_actors` is told how many are at work, of how many.
    """
    sources = iter(sources)
    for item in sources:
        if isinstance(item, Source):
            sources = chain([item], sources)
            break
        yield item
    else:
        return
    with connected(cluster):
        from cedtag.run.on_ray.engine import RayEngine

        yield from RayEngine(recipe, cluster, on_actors).run(sources)
