"""Options: how they are declared, read from `CEDTAG_*` variables, and shown in sections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from cedtag.errors import InputError
from cedtag.records import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable

AnyFunction = TypeVar("AnyFunction", bound="Callable[..., Any]")


class Option(click.Option):
    """An option that stands in a section of the help and can come from the variable `CEDTAG_<OPTION>`."""

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section
        if self.envvar is None:
            longest = max(self.opts, key=len)
            self.envvar = "CEDTAG_" + longest.lstrip("-").replace("-", "_").upper()


class SectionedCommand(click.Command):
    """A command whose help shows its options under the heading of their section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)


def options_in(
    section: str, *declarations: tuple[tuple[str, ...], dict[str, Any]]
) -> Callable[[AnyFunction], AnyFunction]:
    """A decorator that adds options to a command, in this order, under one heading."""

    def decorate(function: AnyFunction) -> AnyFunction:
        for names, settings in reversed(declarations):
            function = click.option(*names, cls=Option, section=section, **settings)(function)
        return function

    return decorate


def option(*names: str, **settings: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """One declaration for `options_in`."""
    return names, settings


model_options = options_in(
    "Model",
    option(
        "-m",
        "--model",
        default="ced-tiny",
        show_default=True,
        metavar="NAME",
        help="tiny, mini, small or base; owner/repo[@revision] on the Hub; a folder; a file of weights.",
    ),
    option("--offline", is_flag=True, help="Never use the network."),
    option("--cache-dir", type=click.Path(file_okay=False), metavar="DIR", help="Where checkpoints are kept."),
)

talk_options = options_in(
    "Talk",
    option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
    option("-v", "--verbose", is_flag=True, help="Say what was chosen: model, device, batches, threads."),
    option(
        "--progress/--no-progress",
        default=None,
        help="A bar on a terminal, else a line a minute.  [default: not beside a table]",
    ),
    option("--no-color", is_flag=True, help="No colours (NO_COLOR and FORCE_COLOR are obeyed too)."),
)


def samples_of(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


def window_and_hop(window_s: float, hop_s: float | None, overlap: str | None, longest: int) -> tuple[int, int]:
    """The window and the distance of two windows in samples, from what -w, --hop and --overlap say.

    A window holds at least one patch and at most the `longest` samples that the model takes.
    """
    window = samples_of(window_s)
    shortest = samples_of(0.16)
    if not shortest <= window <= longest:
        raise InputError(
            f"-w/--window {window_s:g}: this model takes from 0.16 to {longest / SAMPLE_RATE_HZ:g} seconds"
        )
    if hop_s is not None and overlap is not None:
        raise InputError("--hop and --overlap say the same thing in two ways; use one of them")
    hop = window if hop_s is None else samples_of(hop_s)
    if overlap is not None:
        hop = window - _overlap(overlap, window)
    if not 0 < hop <= window:
        raise InputError(
            f"windows of {window_s:g} s every {hop / SAMPLE_RATE_HZ:g} s: the hop must be more than 0 "
            "and no more than the window, so that nothing is left out"
        )
    return window, hop


def _overlap(text: str, window: int) -> int:
    number, percent = (text[:-1], True) if text.endswith("%") else (text, False)
    try:
        value = float(number)
    except ValueError:
        raise InputError(f"--overlap {text}: write seconds (2.5) or a share of the window (50%)") from None
    return round(window * value / 100) if percent else samples_of(value)
