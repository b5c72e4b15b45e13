"""Options: how they are declared, read from `CEDTAG_*` variables, and shown in sections."""

from __future__ import annotations

import inspect
import os
import re
import shlex
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource
from click.types import BoolParamType

from cedtag.checkpoints.choice import ModelChoice
from cedtag.cli.shared.variables import variable_that_sets
from cedtag.errors import CedtagError, InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from click.shell_completion import CompletionItem

AnyFunction = TypeVar("AnyFunction", bound="Callable[..., Any]")
LARGEST_NUMBER = 2**32 - 1  # what the largest of all numbers, a seed, may be; other settings have limits of their own
FILES, PLACES = ("FILE", "FILE.csv"), ("PATH", "DIR", "FOLDER")  # metavars of options
# Keys of a context's `meta`: where defaults of options stand, by parameter, and which of them come before variables.
SET_BY, LOADED = "cedtag.set_by", "cedtag.loaded"
_PARAMETER = re.compile(r"`([\w-]+)`")


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option: the parameter of the library that it sets, its names, and what click wants to know.

    Where one option sets several parameters, `also` names the others, and `parse` turns its value into all of them.
    """

    parameter: str
    names: tuple[str, ...]
    settings: dict[str, Any]
    also: tuple[str, ...] = ()
    parse: Callable[[Any], Mapping[str, Any]] | None = None

    def values(self, value: Any) -> Mapping[str, Any]:
        """The parameters that a value of the option sets."""
        return {self.parameter: value} if self.parse is None else self.parse(value)


class Option(click.Option):
    """An option that stands in a section of the help and can come from a variable of the environment."""

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The text of the variable that sets the option; of one that names its opposite, the opposite."""
        if self.name in ctx.meta.get(LOADED, ()):
            return None
        if name := variable_that_sets(ctx, self.opts):
            return os.environ[name]
        if not (name := variable_that_sets(ctx, self.secondary_opts)):
            return None
        switched_off = BoolParamType.str_to_bool(os.environ[name])
        return os.environ[name] if switched_off is None else str(not switched_off)

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """The value of the variable: a line per value of a repeatable option, which may hold blanks."""
        text = self.resolve_envvar_value(ctx)
        if text is None or (not self.multiple and self.nargs == 1):
            return super().value_from_envvar(ctx)
        lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
        return lines if self.nargs == 1 else text.split()

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The converted value; an error names where the value stands, unless that is the command line."""
        try:
            return super().process_value(ctx, value)
        except click.BadParameter as error:
            if place := self.place_of(ctx):
                raise click.UsageError(f"{place}: {error.message}", ctx) from error
            raise

    def place_of(self, ctx: click.Context) -> str | None:
        """The variable, or the place in a file, that set the option; None where command line or default did."""
        source = ctx.get_parameter_source(self.name) if self.name else None
        if source is ParameterSource.DEFAULT_MAP:
            place: str | None = ctx.meta.get(SET_BY, {}).get(self.name)
            return place
        if source is not ParameterSource.ENVIRONMENT:
            return None
        return variable_that_sets(ctx, self.opts) or variable_that_sets(ctx, self.secondary_opts)

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """The value as click converts it; no number that is not finite, and no file without a name."""
        converted = super().type_cast_value(ctx, value)
        for one in converted if isinstance(converted, tuple) else (converted,):
            if fault := self._fault_of(one):
                raise click.BadParameter(fault, ctx=ctx, param=self)
        return converted

    def _fault_of(self, value: object) -> str | None:
        """What is wrong with one value, if it is."""
        if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
            return f"{value} is no number up to {LARGEST_NUMBER}."
        if self.metavar not in FILES + PLACES or not isinstance(value, str | Path):
            return None
        if value == "":
            return "the name is empty."
        if self.metavar in FILES and os.path.isdir(value):  # noqa: PTH112 -- no error for a name that is too long
            return f"{str(value)!r} is a folder; name a file."
        return None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """What a shell is offered for the value."""
        from cedtag.cli.shared.offers import BY_METAVAR, BY_NAME

        is_number = isinstance(self.type, click.IntRange | click.FloatRange) or self.type is click.FLOAT
        offer = None if is_number else BY_NAME.get(self.name or "") or BY_METAVAR.get(str(self.metavar))
        return super().shell_complete(ctx, incomplete) if offer is None else offer(ctx, incomplete)

    @property
    def long_name(self) -> str:
        """The first long name, such as `--threshold`."""
        return next((name for name in self.opts if name.startswith("--")), self.opts[0])


class SectionedCommand(click.Command):
    """A command whose help shows its options by section, and whose errors name options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CedtagError as error:
            place = self.place_of(ctx, "model") if isinstance(error, ModelError) else None
            error.args = ((f"{place}: " if place else "") + self.with_options(str(error), ctx), *error.args[1:])
            raise

    def place_of(self, ctx: click.Context, parameter: str) -> str | None:
        """The variable, or the place in a file, that set a parameter of the command, if one did."""
        return next(
            (one.place_of(ctx) for one in self.params if isinstance(one, Option) and one.name == parameter), None
        )

    def with_options(self, text: str, ctx: click.Context) -> str:
        """The text with the option, or what set it, in the place of each parameter that stands in backquotes."""
        options = [option for option in self.params if isinstance(option, Option)]
        # Long names first: `to` is --output, and no --to.
        names = {option.long_name.lstrip("-"): option.place_of(ctx) or option.long_name for option in options}
        names |= {option.name or "": option.place_of(ctx) or option.long_name for option in options}
        if model := ctx.params.get("model"):
            text = text.replace("-m MODEL", f"-m {shlex.quote(model)}")
        return _PARAMETER.sub(lambda match: names.get(match[1]) or match[0], text)


def option(
    parameter: str,
    *names: str,
    also: tuple[str, ...] = (),
    parse: Callable[[Any], Mapping[str, Any]] | None = None,
    **settings: Any,
) -> OptionSpec:
    """The option with these names for a parameter of the library, whose default it has."""
    return OptionSpec(parameter, names, settings, also, parse)


def gathered(
    argument: str, build: Callable[..., object], *sections: tuple[str, Sequence[OptionSpec]]
) -> Callable[[AnyFunction], AnyFunction]:
    """A decorator that adds options to a command and hands it what `build` makes of them as one `argument`.

    `build` is a dataclass, or a function with keywords. Its defaults are those of the options and stand nowhere else; a
    parameter without an option keeps its own. `sections` are headings of the help, with the options below each.
    """
    specs = [(heading, spec) for heading, below in sections for spec in below]
    parameters = inspect.signature(build).parameters
    unknown = {name for _, spec in specs for name in (spec.parameter, *spec.also)} - set(parameters)
    assert not unknown, f"{argument}: there are options for {unknown}, but no such parameters"

    def decorate(function: AnyFunction) -> AnyFunction:
        @wraps(function)
        def gather(*args: Any, **values: Any) -> Any:
            given: dict[str, Any] = {}
            for _, spec in specs:
                given |= spec.values(values.pop(spec.parameter))
            values[argument] = build(**given)
            return function(*args, **values)

        for heading, spec in reversed(specs):
            settings = _with_default(spec.settings, parameters[spec.parameter].default)
            gather = click.option(*spec.names, spec.parameter, cls=Option, section=heading, **settings)(gather)
        return cast("AnyFunction", gather)

    return decorate


def bundled(
    argument: str, build: Callable[..., object], *groups: Callable[[AnyFunction], AnyFunction]
) -> Callable[[AnyFunction], AnyFunction]:
    """A decorator that adds groups of options to a command and hands it what `build` makes of them as one `argument`.

    The arguments of the groups are parameters of `build`.
    """
    names = inspect.signature(build).parameters.keys()

    def decorate(function: AnyFunction) -> AnyFunction:
        @wraps(function)
        def gather(*args: Any, **values: Any) -> Any:
            values[argument] = build(**{name: values.pop(name) for name in names & values.keys()})
            return function(*args, **values)

        for group in reversed(groups):
            gather = group(gather)
        return cast("AnyFunction", gather)

    return decorate


def _with_default(settings: dict[str, Any], default: object) -> dict[str, Any]:
    """What click is told of an option whose parameter has this default: a tuple is one of a repeatable option."""
    if default is inspect.Parameter.empty:
        return settings
    told: dict[str, Any] = {"default": default, "show_default": not isinstance(default, bool | tuple | None)}
    if isinstance(default, tuple) and not isinstance(settings.get("type"), tuple):
        told["multiple"] = True
    if default is False:
        told["is_flag"] = True
    return told | settings


def similar_options(wanted: str, command: click.Command) -> list[str]:
    """Up to three options of a command that were meant: those that begin so or contain it, else spelt alike."""
    options = [one for one in command.params if isinstance(one, click.Option)]
    names = [name for one in options for name in (*one.opts, *one.secondary_opts) if name.startswith("--")]
    begin = [name for name in names if name.startswith(wanted)]
    contain = [name for name in names if len(wanted) > 4 and wanted.lstrip("-") in name and name not in begin]
    return ([*begin, *contain] or get_close_matches(wanted, names))[:3]


def number_or_auto(value: str) -> int | None:
    """A whole number from 1, or None for "auto"."""
    if value == "auto":
        return None
    if not re.fullmatch("[0-9]{1,9}", value) or int(value) < 1:
        raise InputError(f"`batch_size` {value}: a whole number from 1, or auto")
    return int(value)


model_options = gathered(
    "choice",
    ModelChoice,
    (
        "Model",
        [
            option(
                "model",
                "-m",
                "--model",
                metavar="NAME",
                help="tiny, mini, small or base; owner/repo[@revision] on the Hub; a folder; a file of weights.",
            ),
            option("offline", "--offline", help="Never use the network."),
            option(
                "cache_dir",
                "--cache-dir",
                type=click.Path(file_okay=False, path_type=Path),
                metavar="DIR",
                help="Folder for downloaded checkpoints.",
            ),
        ],
    ),
)


@dataclass(frozen=True, slots=True)
class Logging:
    """What is written to standard error."""

    quiet: bool = False
    verbose: bool = False
    progress: bool | None = None
    no_color: bool = False


logging_options = gathered(
    "logging",
    Logging,
    (
        "Logging",
        [
            option("quiet", "-q", "--quiet", help="Print errors only."),
            option("verbose", "-v", "--verbose", help="Print what was chosen: model, device, batches, threads."),
            option(
                "progress",
                "--progress/--no-progress",
                help="A progress bar on a terminal, else a line a minute.  [default: not beside a table]",
            ),
            option("no_color", "--no-color", help="No colours (NO_COLOR and FORCE_COLOR are obeyed too)."),
        ],
    ),
)
