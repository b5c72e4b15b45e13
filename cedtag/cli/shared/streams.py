"""Standard input and output of commands."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import ExitStack

    from cedtag.run.outputs.destination import Destination


def local_path(name: str, stack: ExitStack) -> Path:
    """The path of results; standard input is put into a file, because some formats are read twice."""
    if name != "-":
        return Path(name)
    path = Path(stack.enter_context(TemporaryDirectory(prefix="cedtag-"))) / "standard input"
    with path.open("wb") as spool:
        shutil.copyfileobj(sys.stdin.buffer, spool)
    return path


def for_terminal(destination: Destination) -> Destination:
    """The destination, with a table where results go to a terminal in no format that was asked for."""
    if destination.is_stdout and not destination.formats and sys.stdout is not None and sys.stdout.isatty():
        return replace(destination, formats=("table",))
    return destination
