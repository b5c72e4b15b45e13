"""What follows from the settings of a run and a model: windows, tags, threads, and what is kept of outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cedtag.labels.groups import ontology
from cedtag.labels.selection import selector_of
from cedtag.records import ScoredWindow, Skipped
from cedtag.run.checks import check_frames
from cedtag.run.columns import ColumnSelector, time_scores
from cedtag.run.overlaps import OverlapSelector
from cedtag.run.pipeline import PipelineSettings
from cedtag.run.settings import Scoring
from cedtag.system.machine import usable_cpus
from cedtag.writers.per_recording import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cedtag.labels.table import Label
    from cedtag.records import Outcome
    from cedtag.run.outputs import Kept
    from cedtag.run.settings import RunSettings
    from cedtag.scoring import Compute, Scorer


def scoring_of(settings: RunSettings, scorer: Scorer) -> Scoring:
    """How windows are cut, and which tags they get, with this scorer."""
    size = settings.windows.in_samples(scorer.shortest_window, scorer.longest_window)
    if settings.windows.frames:
        check_frames(settings, scorer)
    column = scorer.shortest_window if settings.windows.frames else 0
    return replace(scoring_at(*size, settings, scorer.labels), column=column)


def scoring_at(window: int, hop: int, settings: RunSettings, labels: Sequence[Label]) -> Scoring:
    """Which tags windows of these samples get, with a model of these classes."""
    if settings.events is None:
        tags = settings.tags
        if settings.destination.layout == LAYOUT and tags.top_k is None:
            tags = replace(
                tags, top_k=0
            )  # else seconds would count only the windows in which a class is among the best
        return Scoring(window, hop, selector_of(labels, tags))
    events = settings.events.for_labels(ontology(labels))
    return Scoring(window, hop, selector_of(labels, settings.tags.for_events(events.lowest_offset)), events)


def pipeline_settings(
    settings: RunSettings, scoring: Scoring, scorer: Scorer, *, is_live: bool = False
) -> PipelineSettings:
    """The numbers of threads and their time limit; input that `is_live` may be silent for any time."""
    scorers = scoring_threads(settings.compute, scorer)
    timeout_s = None if is_live or settings.reading.timeout_s == 0 else settings.reading.timeout_s
    return PipelineSettings(
        scoring.window,
        scoring.hop,
        settings.compute.jobs or usable_cpus(),
        scorers,
        timeout_s,
        settings.reading.part,
        columns=scoring.column > 0,
    )


def scoring_threads(compute: Compute, scorer: Scorer) -> int:
    """The number of threads that score.

    On a CPU one more than there are processors: it costs nothing on a quiet machine, and beside a process that wants a
    whole processor the kernel, which shares by threads, leaves more to this one.
    """
    return compute.threads or (usable_cpus() + 1 if scorer.device == "cpu" else 1)


def selection_of(scoring: Scoring, *, is_stored: bool = False) -> Callable[[Outcome], Iterator[Kept]]:
    """The function from outcomes to what is written: windows with their tags, and how recordings ended.

    Where the outcomes come from a store, their columns are compared already.
    """
    together: OverlapSelector | ColumnSelector | None = None
    if scoring.shows_columns:
        together = ColumnSelector(
            scoring.selector, scoring.window, scoring.hop, scoring.column, of=None if is_stored else time_scores
        )
    elif scoring.makes_means:
        together = OverlapSelector(scoring.selector)

    def select(outcome: Outcome) -> Iterator[Kept]:
        if isinstance(outcome, ScoredWindow):
            yield from (scoring.selector(outcome),) if together is None else together.add(outcome)
        elif not isinstance(outcome, Skipped):
            yield from () if together is None else together.finish()
            yield outcome

    return select
