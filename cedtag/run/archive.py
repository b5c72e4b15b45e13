"""One run over any number of recordings: found, decoded, scored, and written as they are done."""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from cedtag.audio import Decoders, read_raw, spooled
from cedtag.errors import InputError
from cedtag.inputs.search import STDIN
from cedtag.inputs.sources import find_sources
from cedtag.inputs.start_time import timed
from cedtag.inputs.window_settings import samples_of
from cedtag.labels.groups import ontology
from cedtag.labels.selection import selector_of
from cedtag.records import EACH, FileEnd, FileFailed, ScoredWindow, Skipped, Source, TimedSource
from cedtag.run.columns import ColumnSelector
from cedtag.run.outputs.open import open_output
from cedtag.run.outputs.places import check_destination
from cedtag.run.overlaps import OverlapSelector
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.run.refinement import Refinement, refined
from cedtag.run.settings import Scoring, identity, store_facts
from cedtag.run.summary import Summary, write_summary
from cedtag.scoring import gives_columns, gives_embeddings
from cedtag.scoring.embedded import Embedded
from cedtag.system.destinations import kept_apart
from cedtag.system.extras import require
from cedtag.system.machine import usable_cpus
from cedtag.writers.per_recording import LAYOUT
from cedtag.writers.raven import RavenWriter
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from cedtag.audio import Recording
    from cedtag.inputs.clock import Clock
    from cedtag.labels.table import Label
    from cedtag.records import Listed, Outcome
    from cedtag.run.outputs import Kept, Output
    from cedtag.run.outputs.destination import Destination
    from cedtag.run.outputs.store import StoreOutput
    from cedtag.run.settings import RunSettings
    from cedtag.scoring import Compute, LoadedModel, Scorer

    OpenRecording: TypeAlias = Callable[[Source], Recording]

AnyOutcome = TypeVar("AnyOutcome")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Who is told of a run: `on_start` when it is ready, `on_outcome` of every outcome once it is written.

    On a cluster `on_actors` is told how many actors are at work, and of how many, from any thread. A result is written
    inside a block of `committing`, which may put off an interruption to its end.
    """

    on_start: Callable[[], object] = lambda: None
    on_outcome: Callable[[Outcome, Summary], object] = lambda outcome, summary: None
    on_actors: Callable[[int, int], object] = lambda at_work, number: None
    committing: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True, slots=True)
class _Job:
    """A run that is ready: its outcomes, and the functions that write one and that put everything in its place.

    `write` gives the failure that stands for the recording in the place of its outcome, if there is one.
    """

    write: Callable[[Outcome], FileFailed | None]
    finish: Callable[[], object]
    info: RunInfo
    outcomes: Iterable[Outcome] = ()


def run_archive(
    paths: Iterable[str], model: LoadedModel, settings: RunSettings, callbacks: Callbacks | None = None
) -> Summary:
    """Tag what is found at `paths` and write it to `settings.destination`; the counts of what became of it.

    A recording that fails is an outcome, not an error. KeyboardInterrupt leaves what is finished in the journal, and
    the same run goes on from there. Raises InputError, ModelError and OutputError.
    """
    callbacks = callbacks or Callbacks()
    with ExitStack() as stack:
        job = _prepare(paths, model, settings, callbacks, stack)
        summary = Summary(part_start=settings.reading.part.start)
        callbacks.on_start()
        try:
            if _follow(job, summary, callbacks, keep_going=settings.destination.keep_going):
                job.finish()
        except KeyboardInterrupt:
            write_summary(settings.destination.summary, summary, job.info)
            raise
        write_summary(settings.destination.summary, summary, job.info)
        _note_untimed(summary, settings.clock)
    return summary


def scoring_of(settings: RunSettings, scorer: Scorer) -> Scoring:
    """How windows are cut, and which tags they get, with this scorer."""
    size = settings.windows.in_samples(scorer.shortest_window, scorer.longest_window)
    if settings.windows.frames:
        _check_frames(settings, scorer)
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


def _prepare(
    paths: Iterable[str], model: LoadedModel, settings: RunSettings, callbacks: Callbacks, stack: ExitStack
) -> _Job:
    """Open what is written and read; `stack` closes all of it."""
    scorer = model.scorer
    is_live = STDIN in paths if isinstance(paths, tuple) else False
    scoring = scoring_of(settings, scorer)
    _check(settings, scoring, is_live=is_live)
    plan = pipeline_settings(settings, scoring, scorer, is_live=is_live)
    kept = scoring.selector.grouping.labels
    info = settings.destination.arranged(RunInfo(identity(settings, scoring, model), kept, events=scoring.events))
    named = tuple(paths) if isinstance(paths, tuple | list) else ()
    outputs = check_destination(settings.destination, named, run=info)
    output, job = _opened(settings, scoring, model, info, named)
    stack.enter_context(closing(output))
    found = kept_apart(
        find_sources(paths, settings.search, one_recording=_single_recording_output(settings)),
        outputs,
        lambda item: item.path if isinstance(item, Source) else None,
    )
    sources = timed(output.pending(found, retry_failed=settings.destination.retry_failed), settings.clock)
    if settings.cluster.is_local:
        outcomes = local_outcomes(sources, opener(settings, scorer, stack), scorer, settings, plan)
    else:
        from cedtag.run.on_ray import cluster_outcomes  # here, because only such a run needs ray

        outcomes = cluster_outcomes(sources, model, settings, callbacks.on_actors)
    return replace(job, outcomes=map(with_notes, stack.enter_context(closing(outcomes))))


def local_outcomes(
    sources: Iterable[Listed],
    open_recording: OpenRecording,
    scorer: Scorer,
    settings: RunSettings,
    plan: PipelineSettings,
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of the sources, in their order, as this process decodes and scores them."""
    with closing(_scored(sources, open_recording, settings.destination, scorer, plan)) as outcomes:
        if settings.windows.refine_s is None:
            yield from outcomes
            return
        refinement = _refinement(settings.windows.refine_s, scoring_of(settings, scorer), open_recording, scorer, plan)
        with closing(refined(outcomes, refinement)) as fine:
            yield from fine


def opener(settings: RunSettings, scorer: Scorer, stack: ExitStack) -> OpenRecording:
    """The function that opens a recording; `stack` closes what it needs."""
    # On a GPU the model is nearly free, and decoding has to leave this process to keep up.
    decoding = replace(settings.reading.decoding, isolate=scorer.device != "cpu")
    decoders = stack.enter_context(Decoders(decoding))

    def open_source(source: Source) -> Recording:
        if source.path != STDIN:
            return decoders.open(source)
        if decoding.raw is not None:
            return read_raw(source.name, sys.stdin.buffer, decoding.raw, decoding.selection)
        return decoders.open(replace(source, path=stack.enter_context(spooled(sys.stdin.buffer))))

    return open_source


def _scored(
    sources: Iterable[Listed],
    open_recording: OpenRecording,
    destination: Destination,
    scorer: Scorer,
    plan: PipelineSettings,
) -> Generator[Outcome, None, None]:
    """The outcomes of all sources, with the embeddings that a store is to hold."""
    if not (destination.store and destination.embeddings and gives_embeddings(scorer)):
        yield from score_recordings(sources, open_recording, scorer, plan)
        return
    embedded = Embedded(scorer)
    with closing(score_recordings(sources, open_recording, embedded, plan)) as outcomes:
        yield from map(embedded.divided, outcomes)


def _opened(
    settings: RunSettings, scoring: Scoring, model: LoadedModel, info: RunInfo, named: tuple[str, ...]
) -> tuple[Output | StoreOutput, _Job]:
    """Where results go, and the job without its outcomes."""
    destination, shard = settings.destination, settings.search.shard
    if not destination.store:
        output = open_output(destination, info, shard, named)
        return output, _Job(_writing_rows(output, scoring), output.finish, info)
    from cedtag.run.outputs.of_store import RowsOfStore
    from cedtag.run.outputs.store import open_store_output
    from cedtag.run.stored import results_of_store

    store = open_store_output(Path(destination.store), store_facts(settings, scoring, model))
    try:
        results = partial(results_of_store, store.path, partial(selection_of, scoring))
        rows = RowsOfStore(store, destination, info, results, shard, named)
    except BaseException:
        store.close()
        raise

    def finish() -> None:
        store.finish()
        rows.make()

    return store, _Job(_writing_scores(store), finish, info)


def _writing_rows(output: Output, scoring: Scoring) -> Callable[[Outcome], FileFailed | None]:
    """The function that writes what is shown of outcomes."""
    select = selection_of(scoring)

    def write(outcome: Outcome) -> FileFailed | None:
        failed = None
        for result in select(outcome):
            failed = output.write(result) or failed
        return failed

    return write


def _writing_scores(store: StoreOutput) -> Callable[[Outcome], FileFailed | None]:
    """The function that stores outcomes whole."""
    return lambda outcome: None if isinstance(outcome, Skipped) else store.write(outcome)


def _check_frames(settings: RunSettings, scorer: Scorer) -> None:
    """InputError where columns of tokens cannot make the events."""
    if settings.events is None or settings.windows.refine_s is not None:
        raise InputError("`frames` goes with `events`, and is an alternative to `refine_s`; leave one of them out")
    if not gives_columns(scorer):
        raise InputError(f"`frames`: `backend` {scorer.settings['backend']} scores whole windows only; leave it out")


def _check(settings: RunSettings, scoring: Scoring, *, is_live: bool) -> None:
    """InputError for groups of settings that exclude each other."""
    check_arrangement(settings)
    if not settings.cluster.is_local:
        require("ray", "`engine` ray needs ray")
        if is_live:
            raise InputError("`engine` ray reads files, which all its machines see, and no -; name files or folders")
    refine_s = settings.windows.refine_s
    if settings.destination.store and refine_s is not None:
        raise InputError(
            "`refine_s` scores some windows anew for one question, and a `store` is for all; leave one out"
        )
    if settings.destination.store and settings.windows.frames:
        raise InputError("a `store` holds the scores of windows, and none of columns; leave `frames` or `store` out")
    if settings.reading.channel == EACH:
        settings.destination.check_channels()
        if refine_s is not None:
            raise InputError("`refine_s` goes with one channel at a time; leave `channel` each, or name its number")
    if refine_s is None:
        return
    if settings.events is None or scoring.hop != scoring.window or samples_of(refine_s) >= scoring.window or is_live:
        raise InputError(
            f"`refine_s` {refine_s:g} goes with `events`, windows that are longer and do not overlap, "
            "and recordings that can be read twice, so not with -; leave one of them"
        )


def check_arrangement(settings: RunSettings) -> None:
    """InputError for an arrangement of results that lacks what it needs."""
    if settings.events is not None and settings.destination.layout == "wide":
        raise InputError("`layout` wide has a row per window, and `events` shows none; leave one of them")
    if settings.clock.is_off and settings.destination.needs_clock:
        raise InputError("this format needs the start times of recordings; name where they come from with `start_time`")


def _single_recording_output(settings: RunSettings) -> str | None:
    """What says why only one recording can be written; None where any number can."""
    destination = settings.destination
    if settings.reading.to_s is not None and not destination.is_folder and RavenWriter in destination.writers():
        return "raven lines recordings up by their whole lengths, and with `to_s` holds"
    if destination.plot:
        return "`plot` draws"
    return "this format holds" if destination.shows_one_recording() else None


def _refinement(
    size_s: float, scoring: Scoring, open_recording: OpenRecording, scorer: Scorer, plan: PipelineSettings
) -> Refinement:
    """How windows in which an event begins or ends are scored again."""
    events, selector = scoring.events, scoring.selector
    assert events is not None

    def active(window: ScoredWindow) -> frozenset[int]:
        return frozenset(tag.index for tag in selector(window).tags if tag.score >= events.onset_of(tag.index))

    return Refinement(open_recording, scorer, active, samples_of(size_s), plan.scorers)


def with_notes(outcome: AnyOutcome) -> AnyOutcome:
    """The outcome, with what is doubtful about the start time of its recording among its warnings."""
    if isinstance(outcome, FileEnd) and isinstance(outcome.source, TimedSource) and outcome.source.notes:
        return replace(outcome, warnings=outcome.warnings + outcome.source.notes)
    return outcome


def _note_untimed(summary: Summary, clock: Clock) -> None:
    """Log how many recordings have no start time, if start times were wanted."""
    if clock.is_off or not summary.untimed:
        return
    places = {"name": "their names do not hold", "metadata": "their metadata do not hold"}
    logger.warning(
        "no start time for %d of %d recordings: %s one that is known, and their rows have no clock times",
        summary.untimed,
        summary.done + summary.partial,
        places.get(clock.start_time, "neither their metadata nor their names hold"),
    )


def _follow(job: _Job, summary: Summary, callbacks: Callbacks, *, keep_going: bool) -> bool:
    """Write down what comes, in order; whether the run came to its end."""
    for outcome in job.outcomes:
        with callbacks.committing():
            outcome = job.write(outcome) or outcome
            summary.count(outcome)
            callbacks.on_outcome(outcome, summary)
        if isinstance(outcome, FileFailed) and not keep_going:
            return False
    return True


def selection_of(scoring: Scoring) -> Callable[[Outcome], Iterator[Kept]]:
    """The function from outcomes to what is written: windows with their tags, and how recordings ended."""
    together: OverlapSelector | ColumnSelector | None = None
    if scoring.column:
        together = ColumnSelector(scoring.selector, scoring.window, scoring.hop, scoring.column)
    elif scoring.makes_means:
        together = OverlapSelector(scoring.selector)

    def select(outcome: Outcome) -> Iterator[Kept]:
        if isinstance(outcome, ScoredWindow):
            yield from (scoring.selector(outcome),) if together is None else together.add(outcome)
        elif not isinstance(outcome, Skipped):
            yield from () if together is None else together.finish()
            yield outcome

    return select
