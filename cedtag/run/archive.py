"""One run over any number of recordings: found, decoded, scored, and written as they are done."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cedtag.audio.piped_tar import PipedInput
from cedtag.inputs.search import STDIN
from cedtag.inputs.sources import find_sources
from cedtag.inputs.start_time import timed, with_notes
from cedtag.records import FileFailed, Skipped, Source
from cedtag.run.checks import check_settings, single_recording_output
from cedtag.run.engines import outcomes_by
from cedtag.run.outputs.open import open_output
from cedtag.run.outputs.places import check_destination
from cedtag.run.plan import scoring_of, selection_of
from cedtag.run.settings import Scoring, identity, store_facts
from cedtag.run.summary import Summary, write_summary
from cedtag.run.tag_recipe import tag_recipe, tag_work
from cedtag.system.destinations import kept_apart
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cedtag.audio import Recording
    from cedtag.inputs.clock import Clock
    from cedtag.records import Outcome
    from cedtag.run.outputs import Output
    from cedtag.run.outputs.store import StoreOutput
    from cedtag.run.settings import RunSettings
    from cedtag.scoring import LoadedModel

    OpenRecording: TypeAlias = Callable[[Source], Recording]

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


def _prepare(
    paths: Iterable[str], model: LoadedModel, settings: RunSettings, callbacks: Callbacks, stack: ExitStack
) -> _Job:
    """Open what is written and read; `stack` closes all of it."""
    scorer = model.scorer
    is_live = STDIN in paths if isinstance(paths, tuple) else False
    scoring = scoring_of(settings, scorer)
    check_settings(settings, scoring, is_live=is_live)
    kept = scoring.selector.grouping.labels
    info = settings.destination.arranged(RunInfo(identity(settings, scoring, model), kept, events=scoring.events))
    named = tuple(paths) if isinstance(paths, tuple | list) else ()
    outputs = check_destination(settings.destination, named, run=info)
    output, job = _opened(settings, scoring, model, info, named)
    stack.enter_context(closing(output))
    stdin = PipedInput()
    stack.callback(stdin.close)
    looked_at = None if settings.reading.raw else stdin
    found = kept_apart(
        find_sources(paths, settings.search, one_recording=single_recording_output(settings), stdin=looked_at),
        outputs,
        lambda item: item.path if isinstance(item, Source) else None,
    )
    pending = stdin.kept(output.pending(found, retry_failed=settings.destination.retry_failed))
    here = tag_work(settings, scorer, stack, stdin, is_live=is_live).outcomes
    recipe = partial(tag_recipe, model, settings)
    outcomes = outcomes_by(settings.cluster, timed(pending, settings.clock), here, recipe, callbacks.on_actors)
    return replace(job, outcomes=map(with_notes, stack.enter_context(closing(outcomes))))


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
    from cedtag.run.stored import rows_of_store
    from cedtag.store.read import Store

    store = open_store_output(Path(destination.store), store_facts(settings, scoring, model))
    try:
        rows = RowsOfStore(store, destination, info, lambda: rows_of_store(Store(store.path), scoring), shard, named)
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
