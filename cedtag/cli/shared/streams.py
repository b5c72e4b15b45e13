"""Standard input and output of commands."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING

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


def is_pipe(stream: IO[str]) -> bool:
    """Whether another program reads what is written."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):  # a stream of a program that replaced it
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def for_terminal(destination: Destination) -> Destination:
    """The destination, with a table where results go to a terminal in no format that was asked for."""
    if destination.is_stdout and not destination.formats and sys.stdout is not None and sys.stdout.isatty():
        return replace(destination, formats=("table",))
    return destination
