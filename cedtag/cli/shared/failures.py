"""The one table from what went wrong to what is said and how the process ends."""

from __future__ import annotations

import click

from cedtag.cli.shared.interrupts import Interrupted
from cedtag.cli.shared.options import similar_options
from cedtag.cli.shared.shortages import sentence_of_system
from cedtag.errors import AudioError, CedtagError, InputError
from cedtag.system.terminal import printable

DONE, COULD_NOT_PROCEED, USAGE, SOME_FAILED, NO_AUDIO = range(5)
BROKEN_PIPE = 141

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
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        similar = similar_options(error.option_name, error.ctx.command)
        meant = f" Did you mean {' or '.join(similar)}?" if similar else ""
        return f"cedtag: {error.message}{meant} (see {error.ctx.command_path} --help)"
    if isinstance(error, click.UsageError):
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        return f"cedtag: {error.format_message()}{where}"
    if isinstance(error, click.ClickException):
        return f"cedtag: {error.format_message()}"
    if isinstance(error, OSError | MemoryError):
        return f"cedtag: {sentence_of_system(error)}"
    sentence = f"cedtag: {printable(str(error))}"
    return printable_traceback(error) + sentence if isinstance(error, AudioError) else sentence


def printable_traceback(error: AudioError) -> str:
    """The lines of a bug's traceback; "" where there is none."""
    return "".join(f"{printable(line)}\n" for line in error.traceback.splitlines())
