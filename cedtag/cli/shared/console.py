"""Messages on standard error: errors, warnings, progress. Data never pass here."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from tqdm import TqdmMonitorWarning, tqdm

from cedtag.cli.shared.progress import write_beside_bars
from cedtag.records import MISSING, NOTE, FileEnd, FileFailed, Repeated, Skipped
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cedtag.cli.shared.run_progress import RunProgress
    from cedtag.records import Outcome
    from cedtag.run.summary import Summary


class Console(logging.Handler):
    """Prints what happens; a logging handler too, for the library's warnings."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        super().__init__(logging.INFO if verbose else logging.WARNING)
        self._quiet, self._verbose = quiet, verbose
        self._progress: RunProgress | None = None
        self._has_repeats = self._has_missing = False
        logger = logging.getLogger("cedtag")
        logger.handlers = [self]
        logger.setLevel(self.level)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        self.note(record.getMessage())

    def start_progress(self, progress: RunProgress) -> None:
        self._progress = progress

    def detail(self, text: str) -> None:
        """Something for those who asked for more."""
        if self._verbose:
            self._say(text)

    def note(self, text: str) -> None:
        """Something worth knowing."""
        if not self._quiet:
            self._say(text)

    def error(self, text: str) -> None:
        """Something that went wrong; said even when quiet."""
        self._say(text)

    def report(self, event: Outcome, summary: Summary) -> None:
        """Say what is worth saying of one event."""
        if isinstance(event, FileFailed):
            self._report_failure(event)
        elif isinstance(event, FileEnd):
            for problem in event.problems:
                self.error(f"partial: {event.source.name}: {problem}")
            for warning in event.warnings:
                say = self.detail if warning.startswith(NOTE) else self.note
                say(f"warning: {event.source.name}: {warning}")
        elif isinstance(event, Repeated) and self._has_repeats:
            self.detail(f"skipped: {event.source.name}: {event.reason}")
        elif isinstance(event, Skipped):
            self.note(f"skipped: {event.source.name}: {event.reason}")
            self._has_repeats = self._has_repeats or isinstance(event, Repeated)
        if isinstance(event, FileFailed | FileEnd) and event.traceback:
            self._show_traceback(event.traceback)
        if self._progress is not None:
            self._progress.advance(event, summary)

    def _report_failure(self, failed: FileFailed) -> None:
        """Say why a recording failed; of a package that is not installed, only the first that needs it."""
        say = self.detail if failed.stage == MISSING and self._has_missing else self.error
        say(f"failed: {failed.error}")
        self._has_missing = self._has_missing or failed.stage == MISSING

    def _show_traceback(self, traceback: str) -> None:
        for line in traceback.splitlines():
            self.detail(line)
        if not self._verbose:
            self.note("the traceback: -v shows it, and --errors FILE keeps it")

    def end_progress(self) -> None:
        if self._progress is not None:
            self._progress.close()
            self._progress = None

    def _say(self, text: str) -> None:
        line = f"cedtag: {printable(text)}"
        if self._progress is not None and self._progress.is_live:
            write_beside_bars(line)
        else:
            click.echo(line, err=True)


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; its callback takes the bytes that have come in all."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    # The thread that keeps idle bars fresh is no loss where no thread can be started.
    warnings.simplefilter("ignore", TqdmMonitorWarning)
    with tqdm(desc=name, unit="B", unit_scale=True, disable=not on_terminal, leave=False, delay=0.5) as bar:

        def show(num_bytes: int) -> None:
            bar.update(num_bytes - bar.n)

        yield show
