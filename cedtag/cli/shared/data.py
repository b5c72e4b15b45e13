"""What is said of labelled data: before it is used, and what became of its recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cedtag.cli.shared.failures import run_code
from cedtag.cli.shared.progress import write_beside_bars
from cedtag.inputs.manifest import without_class
from cedtag.records import NOTE, FileFailed
from cedtag.run.summary import Summary
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.inputs.segments import ReadClips


def say_what_is_left_out(data: Path) -> None:
    """Print how many recordings of a folder have no class, because they lie beside the folders of the classes."""
    if left_out := without_class(data):
        first = printable(left_out[0].name)
        text = f"{len(left_out)} recordings" if len(left_out) > 1 else "1 recording"
        click.echo(
            f"cedtag: {printable(str(data))}: {text} beside the folders of the classes left out ({first}); "
            "the class is the name of the folder",
            err=True,
        )


class RecordingsReport:
    """What is wrong with labelled recordings: said as `cedtag tag` does, and counted."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._summary = Summary()
        self._left_out = 0

    def add(self, read: ReadClips[Any]) -> None:
        """Say of one recording that it failed or is partial, and which of its clips are left out."""
        outcome = read.outcome
        self._summary.count(outcome)
        self._left_out += sum(value is None for value in read.values)
        if isinstance(outcome, FileFailed):
            _say(f"failed: {outcome.error}")
        else:
            for problem in outcome.problems:
                _say(f"partial: {outcome.source.name}: {problem}")
            for warning in () if self._quiet else outcome.warnings:
                if not warning.startswith(NOTE):
                    _say(f"warning: {outcome.source.name}: {warning}")
        for line in outcome.traceback.splitlines():
            _say(line)
        if read.left_out:
            more = f" (and {len(read.left_out) - 1:,} more clips of it)" if len(read.left_out) > 1 else ""
            _say(f"left out: {read.left_out[0]}{more}")

    def conclude(self, data: Path) -> int:
        """Print the counts, if anything is wrong; the exit code."""
        complete = self._summary.all_complete and not self._left_out
        if not complete and not self._quiet:
            clips = f"{self._left_out:,} clip{'' if self._left_out == 1 else 's'} left out"
            _say(f"{data}: {self._summary.sentence()}; {clips}")
        return run_code(complete=complete)


def _say(text: str) -> None:
    write_beside_bars(f"cedtag: {printable(text)}")
