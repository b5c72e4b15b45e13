"""Options that every command has, what it says about what it has written, and the library's warnings."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import click

from cedtag import __version__
from cedtag.cli.shared.misspelt_variables import unknown_variables
from cedtag.cli.shared.options import Option
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_QUIET, _VERBOSE = "cedtag.quiet", "cedtag.verbose"


def with_common_options(command: click.Command) -> click.Command:
    """The command, and those below it, with each of -q, -v, --no-color and -V that they lack."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    for one in below:
        with_common_options(one)
    taken = {name for parameter in command.params for name in parameter.opts}
    options = [_version()] if isinstance(command, click.Group) else [*_talk(), _version()]
    command.params += [option for option in options if taken.isdisjoint(option.opts)]
    for parameter in command.params:
        if "-q" in parameter.opts:
            parameter.callback = _set_quiet
    return command


def note(text: str) -> None:
    """Print something worth knowing on standard error, unless the command was told to be quiet."""
    context = click.get_current_context()
    if not (context.meta.get(_QUIET) or context.params.get("quiet")):
        click.echo(f"cedtag: {printable(text)}", err=True)


def note_written(places: Iterable[str | os.PathLike[str]], what: object) -> None:
    """Say what was written to files or a folder; nothing where results went to standard output."""
    named = [os.fspath(place) for place in places if os.fspath(place) != "-"]
    if named:
        note(f"{', '.join(named)}: {what}")


def _talk() -> list[click.Option]:
    return [
        _flag("-q", "--quiet", None, "Print errors only."),
        _flag("-v", "--verbose", _show_details, "Print more about what is done."),
        _flag("--no-color", "--no-color", _use_no_color, "No colours (NO_COLOR and FORCE_COLOR are obeyed too)."),
    ]


def _flag(
    short: str, long: str, callback: Callable[[click.Context, click.Parameter, bool], bool] | None, text: str
) -> click.Option:
    names = list(dict.fromkeys((short, long)))
    return Option(names, is_flag=True, expose_value=False, callback=callback, help=text, section="Logging")


def _version() -> click.Option:
    return click.Option(
        ["-V", "--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_version,
        help="Show the version and exit.",
    )


class _Listener(logging.Handler):
    """Prints the library's warnings, and with -v more; `tag` has a console of its own, which takes its place."""

    def __init__(self, context: click.Context) -> None:
        super().__init__()
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        least = logging.INFO if self._context.meta.get(_VERBOSE) else logging.WARNING
        if record.levelno >= least and not self._context.meta.get(_QUIET):
            click.echo(f"cedtag: {printable(record.getMessage())}", err=True)


def _set_quiet(context: click.Context, _: click.Parameter, value: bool) -> bool:
    """Begin to listen to the library: every command has -q, so this is called for each."""
    if context.resilient_parsing:
        return value
    context.meta[_QUIET] = value
    logger = logging.getLogger("cedtag")
    logger.handlers, logger.propagate = [_Listener(context)], False
    for sentence in unknown_variables(context):
        logger.warning("%s", sentence)
    return value


def _show_details(context: click.Context, _: click.Parameter, value: bool) -> bool:
    if value:
        context.meta[_VERBOSE] = True
        logging.getLogger("cedtag").setLevel(logging.INFO)
    return value


def _use_no_color(context: click.Context, _: click.Parameter, value: bool) -> bool:
    if value:
        os.environ["NO_COLOR"] = "1"
    return value


def _show_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"cedtag {__version__}")
        context.exit()
