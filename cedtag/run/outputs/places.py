"""Every file that a run writes, and the check that none of them is one that it may not write."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.audio import AUDIO_SUFFIXES
from cedtag.errors import InputError
from cedtag.run.outputs.files import journal_beside
from cedtag.run.outputs.folder import journal_in
from cedtag.store import journal_of_store
from cedtag.system.destinations import OutputPath, check_outputs, identity
from cedtag.system.special_files import is_special

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cedtag.run.outputs.destination import Destination
    from cedtag.writers.run_info import RunInfo

_COUNTS = {"found", "done", "partial", "failed", "skipped", "schema", "settings"}
_LARGEST_SUMMARY = 1 << 20  # bytes


def check_destination(
    destination: Destination,
    inputs: Iterable[str | os.PathLike[str]] = (),
    *,
    run: RunInfo | None = None,
    keeps_journal: bool = True,
) -> list[OutputPath]:
    """All files that a run with this destination writes, or InputError or OutputError for one that it may not write.

    What exists is replaceable where the run goes on from a journal, which then decides on the files that are made of
    it; a summary, if it holds counts of a run with the settings of `run`.
    """
    destination.check()
    outputs = _outputs(destination, run, keeps_journal=keeps_journal)
    check_streams(outputs)
    check_outputs(outputs, inputs, overwrite=destination.overwrite, input_suffixes=AUDIO_SUFFIXES)
    return outputs


def _outputs(destination: Destination, run: RunInfo | None, *, keeps_journal: bool) -> list[OutputPath]:
    outputs: list[OutputPath] = []
    journal = None
    if destination.is_folder:
        folder = Path(destination.to[0])
        outputs.append(OutputPath(folder, "to", is_folder=True))
        journal = journal_in(folder)
    elif not destination.is_stream and destination.to:
        files = list(destination.files())
        outputs += [OutputPath(path, "to") for path in files]
        journal = journal_beside(files[0])
    outputs += [OutputPath(path, name) for name, path in destination.named_beside().items()]
    if destination.store:
        outputs.append(OutputPath(Path(destination.store), "store", is_folder=True))
        journal = journal_of_store(Path(destination.store))
    if journal is not None and keeps_journal:
        if destination.resume and os.path.exists(journal):  # noqa: PTH110 -- pathlib raises for names that are too long
            outputs = [replace(output, replaceable=_is_remade(output, run)) for output in outputs]
        outputs.append(OutputPath(journal, "to", replaceable=destination.resume, is_own=True))
    return outputs


def check_streams(outputs: Iterable[OutputPath]) -> None:
    """InputError for a file to which standard output or standard error goes already."""
    for stream, name in ((sys.stdout, "standard output"), (sys.stderr, "standard error")):
        try:
            status = os.fstat(stream.fileno())
        except (AttributeError, OSError, ValueError):  # closed, or in a program that replaced it
            continue
        if not stat.S_ISREG(status.st_mode):
            continue
        for output in outputs:
            if not is_special(output.path) and identity(output.path) == (status.st_dev, status.st_ino):
                raise InputError(f"{output.path}: {name} goes to this file; name another `{output.parameter}`")


def _is_remade(output: OutputPath, run: RunInfo | None) -> bool:
    """Whether a run that goes on may replace an output: a summary is no part of the journal, and is known by itself."""
    return output.parameter != "summary" or is_summary(output.path, run)


def is_summary(path: Path, run: RunInfo | None) -> bool:
    """Whether a file holds the counts of a run, and of one with the settings of `run` if that is known."""
    try:
        if path.stat().st_size > _LARGEST_SUMMARY:
            return False
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or not found.keys() >= _COUNTS:
        return False
    return run is None or found["settings"] == json.loads(json.dumps(dict(run.settings)))
