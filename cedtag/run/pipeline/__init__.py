"""The engine of a run: recordings are listed, decoded and scored side by side, and come out in the order they went in.

    lister thread -> lanes -> decoder threads -> groups of windows -> scorer threads -> one ordered stream of outcomes

A *lane* carries one recording. Decoders run ahead of scoring by a bounded number of lanes, and in each by a bounded
number of groups of windows, so memory does not depend on how long recordings are or how many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cedtag.run.pipeline.local import LocalEngine
from cedtag.run.pipeline.settings import PipelineSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from cedtag.audio import Recording
    from cedtag.records import Listed, Outcome, Source
    from cedtag.scoring import Scorer

__all__ = ["Engine", "LocalEngine", "PipelineSettings", "score_recordings"]


class Engine(Protocol):
    """What turns sources into ordered outcomes; where decoding and scoring happen is its own affair."""

    def run(self, sources: Iterable[Listed]) -> Generator[Outcome, None, None]:
        """Yield the scored windows and then the outcome of every source, in the order of `sources`.

        A recording that cannot be read costs that recording; any other exception, from `sources` too, is raised here.
        Closing the generator ends everything that the run has started.
        """


def score_recordings(
    sources: Iterable[Listed],
    open_recording: Callable[[Source], Recording],
    scorer: Scorer,
    settings: PipelineSettings,
) -> Generator[Outcome, None, None]:
    """Yield what `Engine.run` does, with the threads of this process as the engine."""
    engine: Engine = LocalEngine(open_recording, scorer, settings)
    return engine.run(sources)
