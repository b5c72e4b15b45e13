"""The one table from what went wrong to what is said and how the process ends."""

from __future__ import annotations

import os

import click

from cedtag.cli.shared.interrupts import Interrupted
from cedtag.errors import AudioError, CedtagError, InputError
from cedtag.system.terminal import printable

DONE, COULD_NOT_PROCEED, USAGE, SOME_FAILED, NO_AUDIO = range(5)
BROKEN_PIPE = 141
LONGEST_SHOWN = 300  # characters of a path

# The first row that fits counts.
_EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (InputError, USAGE),
    (AudioError, SOME_FAILED),
    (CedtagError, COULD_NOT_PROCEED),
    (click.UsageError, USAGE),
    (click.ClickException, COULD_NOT_PROCEED),
    (BrokenPipeError, BROKEN_PIPE),
    (KeyboardInterrupt, 130),
    (click.Abort, COULD_NOT_PROCEED),  # a question was answered with no
    (OSError, COULD_NOT_PROCEED),  # a file, folder or limit of the system, and no bug of ours
    (MemoryError, COULD_NOT_PROCEED),
)
HANDLED: tuple[type[BaseException], ...] = (Interrupted, *(kind for kind, _ in _EXIT_CODES))


def run_code(*, complete: bool, found: bool = True) -> int:
    """How the process ends after a run: whether anything was found, and all of it done from beginning to end."""
    if not found:
        return NO_AUDIO
    return DONE if complete else SOME_FAILED


def exit_code(error: BaseException) -> int:
    """How the process ends for one of `HANDLED`."""
    if isinstance(error, Interrupted):
        return 128 + error.signal_number
    return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))


def sentence_for(error: BaseException) -> str:
    """The sentence for one of `HANDLED`; "" when nothing is left to say."""
    if isinstance(error, BrokenPipeError | Interrupted):
        return ""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "cedtag: stopped; nothing was done"
    if isinstance(error, click.UsageError):
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        return f"cedtag: {error.format_message()}{where}"
    if isinstance(error, click.ClickException):
        return f"cedtag: {error.format_message()}"
    if isinstance(error, OSError):
        return f"cedtag: {printable(_of_system(error))}"
    if isinstance(error, MemoryError):
        return "cedtag: there is not enough memory; close other programs, or use a shorter window or a smaller batch"
    return f"cedtag: {printable(str(error))}"


def _of_system(error: OSError) -> str:
    """What the system refused, and what to look at."""
    text = error.strerror or str(error)
    if error.filename is None:
        hint = "set TMPDIR to a folder for temporary files" if "temporary directory" in text else "see `cedtag doctor`"
        return f"the system refused to go on: {text}; {hint}"
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    return f"{_shortened(name)}: {text}; check the name, the rights and the room there"


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}..."
