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

from cedtag.errors import InputError
from cedtag.writers import suffix_of, writer_type

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
    """The destination, with a table where results go to a terminal in no format that was asked for.

    InputError for a binary format there, unless `-o -` asks for it, as with curl.
    """
    if not destination.is_stdout or sys.stdout is None or not sys.stdout.isatty():
        return destination
    if not destination.formats:
        destination = replace(destination, formats=("table",))
    for name in destination.formats:
        if getattr(writer_type(name), "is_binary", False) and not destination.to:
            raise InputError(
                f"{name} is nothing to read on a terminal; name a file (-o FILE{suffix_of(name)}), or use a pipe"
            )
    return destination
