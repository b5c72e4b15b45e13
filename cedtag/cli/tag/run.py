"""What `cedtag tag` does: load the model, run, and tell how it went."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import click

from cedtag.checkpoints import cache
from cedtag.cli.shared.console import Console, ProgressBar, download_bar
from cedtag.cli.shared.failures import run_code
from cedtag.cli.shared.inputs import files_of_options
from cedtag.cli.shared.interrupts import Interrupted, Interrupts
from cedtag.cli.shared.streams import for_terminal
from cedtag.errors import CedtagError
from cedtag.inputs.search import STDIN
from cedtag.inputs.sources import find_sources
from cedtag.records import FileFailed
from cedtag.run.archive import Callbacks
from cedtag.run.outputs.places import check_destination
from cedtag.run.summary import Summary
from cedtag.tagger import Tagger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.cli.shared.options import Logging
    from cedtag.cli.tag.inputs import PathList
    from cedtag.inputs.search import Search
    from cedtag.records import Outcome
    from cedtag.run.outputs.destination import Destination
    from cedtag.run.settings import RunSettings
    from cedtag.scoring import Compute


class LoadTagger(Protocol):
    """Loads a model; `on_progress` is called with the bytes that have been downloaded."""

    def __call__(
        self, choice: ModelChoice, compute: Compute, *, on_progress: Callable[[int], None] | None = None
    ) -> Tagger: ...


def tag(typed: tuple[str, ...], listed: PathList, choice: ModelChoice, settings: RunSettings, logging: Logging) -> int:
    """Tag everything that was named; the exit code."""
    if logging.no_color:
        os.environ["NO_COLOR"] = "1"
    interrupts = Interrupts()
    interrupts.install()
    console = Console(quiet=logging.quiet, verbose=logging.verbose)
    settings = _for_terminal(settings, typed)
    with ExitStack() as stack:
        paths = listed.paths(typed, stack)
        check_destination(settings.destination, [*typed, *files_of_options(click.get_current_context(), choice)])
        tagger = load_tagger(choice, settings, console)
        countable = typed if listed.files_from is None and STDIN not in typed else None
        report = _Report(console, settings, logging, countable, interrupts)
        try:
            summary = tagger.run(paths, settings.destination, settings=settings, callbacks=report.callbacks)
        except Interrupted:
            report.stopped()
            raise
        finally:
            console.end_progress()
    return _conclude(summary, console)


def load_tagger(choice: ModelChoice, settings: RunSettings, console: Console) -> Tagger:
    """The model that was asked for, on its device and in its precision."""
    cache.configure(offline=choice.offline, cache_dir=choice.cache_dir)
    with download_bar(choice.model) as on_progress:
        load: LoadTagger = click.get_current_context().obj or Tagger.load
        tagger = load(choice, settings.compute, on_progress=on_progress)
    checkpoint, scorer = tagger.model.checkpoint, tagger.model.scorer
    console.detail(
        f"model {checkpoint.name} ({checkpoint.commit or checkpoint.weights}) on {scorer.device} "
        f"in {scorer.precision} with {scorer.settings['backend']}, {scorer.batch_size} windows a call"
    )
    return tagger


class _Report:
    """What is printed about a run while it goes on."""

    def __init__(
        self,
        console: Console,
        settings: RunSettings,
        logging: Logging,
        countable: Sequence[str] | None,
        interrupts: Interrupts,
    ) -> None:
        self._console, self._settings, self._logging, self._countable = console, settings, logging, countable
        self._summary = Summary()
        self.callbacks = Callbacks(self._start, self._show, interrupts.deferred)

    def stopped(self) -> None:
        """Print how far a run came that was stopped by a signal."""
        self._console.end_progress()
        again = "; run the same command again to go on" if self._settings.destination.keeps_journal else ""
        self._console.error(f"stopped: {self._summary.sentence()}{again}")

    def _start(self) -> None:
        if _shows_progress(self._logging, self._settings.destination):
            progress = ProgressBar()
            self._console.start_progress(progress)
            if self._countable is not None:
                _count_beside(self._countable, self._settings.search, progress)

    def _show(self, outcome: Outcome, summary: Summary) -> None:
        self._summary = summary
        self._console.report(outcome, summary)
        if isinstance(outcome, FileFailed) and not self._settings.destination.keep_going:
            self._console.error("stopped at the first failure (--fail-fast)")


def _for_terminal(settings: RunSettings, typed: Sequence[str]) -> RunSettings:
    """The settings with what depends on the terminal: a table for people, and no waiting on live input."""
    compute = settings.compute
    if settings.reading.raw and STDIN in typed:
        compute = replace(compute, batch_size=1)  # a live stream shows each window as soon as it is full
    return replace(settings, destination=for_terminal(settings.destination), compute=compute)


def _shows_progress(logging: Logging, destination: Destination) -> bool:
    """Whether progress is shown: not where rows and bar would share a terminal."""
    if logging.progress is not None:
        return logging.progress
    return not logging.quiet and not (destination.is_stdout and sys.stdout is not None and sys.stdout.isatty())


def _count_beside(paths: Iterable[str], search: Search, progress: ProgressBar) -> None:
    """Count the recordings while the run goes on, so that the time left can be shown; the run reports what is wrong."""

    def count() -> None:
        with suppress(CedtagError):
            progress.set_total(sum(1 for _ in find_sources(paths, search)))

    threading.Thread(target=count, name="cedtag-count", daemon=True).start()


def _conclude(summary: Summary, console: Console) -> int:
    if summary.recordings == 0:
        console.error("no audio found; see --include-glob and --recursive, or name a file")
    elif summary.found > 1 or not summary.all_complete:
        console.note(summary.sentence())
    return run_code(found=summary.recordings > 0, complete=summary.all_complete)
