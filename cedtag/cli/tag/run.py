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
from cedtag.cli.shared.console import Console, download_bar
from cedtag.cli.shared.failures import run_code
from cedtag.cli.shared.inputs import files_of_options
from cedtag.cli.shared.interrupts import Interrupted, Interrupts
from cedtag.cli.shared.loaded_settings import check_weights, lost_names
from cedtag.cli.shared.presets import shown_presets
from cedtag.cli.shared.run_progress import RunProgress
from cedtag.cli.shared.streams import for_terminal, is_pipe
from cedtag.cli.shared.suggestions import is_absent_word, suggestions_for
from cedtag.cli.tag.shortfalls import Shortfalls
from cedtag.errors import CedtagError
from cedtag.inputs.extent import Extent, stated_length_s
from cedtag.inputs.search import STDIN
from cedtag.inputs.sources import find_sources
from cedtag.records import SAMPLE_RATE_HZ, FileFailed, ScoredWindow, Skipped, Source
from cedtag.run.archive import Callbacks
from cedtag.run.outputs.places import check_destination
from cedtag.run.summary import Summary, duration
from cedtag.system.processor import processor
from cedtag.tagger import Tagger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.cli.shared.options import Logging
    from cedtag.cli.tag.inputs import PathList
    from cedtag.inputs.search import Search
    from cedtag.records import Outcome
    from cedtag.run.settings import RunSettings
    from cedtag.scoring import Compute


_NO_AUDIO = "no audio found; see --include-glob and --recursive, or name a file"


class LoadTagger(Protocol):
    """Loads a model; `on_progress` is called with the bytes that have been downloaded."""

    def __call__(
        self, choice: ModelChoice, compute: Compute, *, on_progress: Callable[[int], None] | None = None
    ) -> Tagger: ...


def tag(
    typed: tuple[str, ...],
    listed: PathList,
    choice: ModelChoice,
    settings: RunSettings,
    logging: Logging,
    *,
    names_places: bool = True,
) -> int:
    """Tag everything that was named; the exit code. The last line names where results are, unless that is no matter."""
    if logging.no_color:
        os.environ["NO_COLOR"] = "1"
    interrupts = Interrupts()
    interrupts.install()
    console = Console(quiet=logging.quiet, verbose=logging.verbose)
    for text in shown_presets(click.get_current_context()):
        console.detail(text)
    settings = _for_terminal(settings, typed)
    with ExitStack() as stack:
        paths = listed.paths(typed, stack)
        check_destination(settings.destination, [*typed, *files_of_options(click.get_current_context(), choice)])
        if listed.can_be_read_twice and (code := nothing_to_tag(listed.paths(typed, stack), settings.search, console)):
            return code
        if lost := lost_names(click.get_current_context()):
            console.note(lost)
        tagger = load_tagger(choice, settings, console)
        check_weights(click.get_current_context(), tagger.model.checkpoint)
        countable = typed if listed.files_from is None and STDIN not in typed else None
        report = _Report(console, settings, logging, countable, interrupts)
        try:
            summary = tagger.run(paths, settings.destination, settings=settings, callbacks=report.callbacks)
        except Interrupted:
            report.stopped()
            raise
        finally:
            console.end_progress()
    return report.conclude(summary, names_places=names_places)


def nothing_to_tag(paths: Iterable[str], search: Search, console: Console) -> int | None:
    """The exit code where no recording is found at these paths, and the reasons are said; None where there is one.

    What was named is looked at before a model is loaded, or even downloaded. A shard may be empty.
    """
    absent: list[Skipped | FileFailed] = []
    for found in find_sources(paths, replace(search, shard=None)):
        if isinstance(found, Source):
            return None
        absent.append(found)
    summary = Summary()
    for one in absent:
        summary.count(one)
        console.report(one, summary)
    for near in filter(None, map(_commands_near, absent)):
        console.error(f"did you mean {near}?")
    if not summary.failed:
        console.error(_NO_AUDIO)
    return run_code(found=summary.failed > 0, complete=False)


def _commands_near(absent: Skipped | FileFailed) -> str:
    """The commands that the name of something absent may stand for."""
    from cedtag.cli import COMMANDS

    name = absent.source.name
    near = suggestions_for(name, COMMANDS) if is_absent_word(name) else ()
    return " or ".join(f"`cedtag {one}`" for one in near)


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
    if (scorer.device, scorer.precision) == ("cpu", "fp32"):
        faster = "bf16 or int8" if processor().has_bf16 else "int8"
        console.detail(f"`cedtag doctor` measures how much faster --precision {faster} is on this processor")
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
        self._summary = Summary(part_start=settings.reading.part.start)
        self._unfinished: ScoredWindow | None = None
        self._shortfalls = Shortfalls()
        self._progress: RunProgress | None = None
        self.callbacks = Callbacks(self._start, self._show, self._count_actors, interrupts.deferred)

    def stopped(self) -> None:
        """Print how far a run came that was stopped by a signal, and what is done of it again."""
        self._console.end_progress()
        again = ""
        if self._settings.destination.keeps_journal:
            again = "; run the same command again to go on"
            if self._unfinished is not None:
                name, audio_s = self._unfinished.source.name, self._unfinished.stop / SAMPLE_RATE_HZ
                again += f": {name}, of which {duration(audio_s)} were scored, then begins anew"
        self._console.error(f"stopped: {self._summary.sentence()}{again}")

    def conclude(self, summary: Summary, *, names_places: bool) -> int:
        """Print what became of a run that has come to its end; the exit code."""
        destination = self._settings.destination
        places = ", ".join(place for place in (*destination.to, destination.store) if place and place != STDIN)
        if summary.recordings == 0:
            self._console.error(_NO_AUDIO)
        elif places and names_places:
            self._console.note(f"{places}: {summary.sentence()}")
        elif summary.found > 1 or summary.partial:
            # The reader of the rows may be a pager, which the line would garble.
            say = self._console.detail if summary.all_complete and _may_share_terminal() else self._console.note
            say(summary.sentence())
        for sentence in self._shortfalls.of_this_run(self._settings.destination):
            self._console.note(sentence)
        for sentence in self._shortfalls.of_earlier_runs(self._settings.destination):
            self._console.error(sentence)  # the reason of the exit code, which nothing else has named
        return run_code(found=summary.recordings > 0, complete=summary.all_complete)

    def _start(self) -> None:
        to_stdout = self._settings.destination.is_stdout
        if _shows_progress(self._logging, to_stdout=to_stdout):
            self._progress = progress = RunProgress(is_live=_draws_bar(self._logging, to_stdout=to_stdout))
            self._console.start_progress(progress)
            if self._countable is not None:
                _measure_beside(self._countable, self._settings, progress)

    def _count_actors(self, at_work: int, number: int) -> None:
        if self._progress is not None:
            self._progress.actors = f", {at_work} of {number} actors"

    def _show(self, outcome: Outcome, summary: Summary) -> None:
        self._summary = summary
        self._unfinished = outcome if isinstance(outcome, ScoredWindow) else None
        self._shortfalls.add(outcome)
        self._console.report(outcome, summary)
        if isinstance(outcome, FileFailed) and not self._settings.destination.keep_going:
            self._console.error("stopped at the first failure (--fail-fast)")


def _for_terminal(settings: RunSettings, typed: Sequence[str]) -> RunSettings:
    """The settings with what depends on the terminal: a table for people, and no waiting on live input."""
    compute = settings.compute
    if settings.reading.raw and STDIN in typed:
        compute = replace(compute, batch_size=1)  # a live stream shows each window as soon as it is full
    return replace(settings, destination=for_terminal(settings.destination), compute=compute)


def _shows_progress(logging: Logging, *, to_stdout: bool) -> bool:
    """Whether progress is shown: not where rows are a table on a terminal."""
    if logging.progress is not None:
        return logging.progress
    return not logging.quiet and not (to_stdout and sys.stdout is not None and sys.stdout.isatty())


def _draws_bar(logging: Logging, *, to_stdout: bool) -> bool:
    """Whether progress is a bar: on a terminal that no reader of the rows, such as a pager, may share with it."""
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    return bool(logging.progress) or not (to_stdout and _may_share_terminal())


def _may_share_terminal() -> bool:
    """Whether a program that reads standard output may show it on the terminal of the messages."""
    return sys.stdout is not None and is_pipe(sys.stdout) and sys.stderr is not None and sys.stderr.isatty()


def _measure_beside(paths: Iterable[str], settings: RunSettings, progress: RunProgress) -> None:
    """Measure what there is to do while the run goes on, so that the time left is known; the run reports faults."""

    def measure() -> None:
        extent, last = Extent(), None
        with suppress(CedtagError):
            for found in find_sources(paths, settings.search):
                if isinstance(found, Source):
                    extent.add(found)
                    last = found
            if extent.recordings == 1 and last is not None:
                extent.seconds = stated_length_s(last, settings.reading.decoding.raw, asks_pyav=True) or 0.0
            progress.extent = extent

    threading.Thread(target=measure, name="cedtag-measure", daemon=True).start()
