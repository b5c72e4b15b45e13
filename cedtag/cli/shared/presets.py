"""Presets: options with values under a name in a TOML file, called by `cedtag @NAME PATH...`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cedtag.cli.shared.options import LOADED, SET_BY, Option, similar_options
from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import click
    from click.shell_completion import CompletionItem

if sys.version_info >= (3, 11):
    import tomllib
else:  # tomli is what became tomllib
    import tomli as tomllib

NAME = "cedtag.toml"
VARIABLE = "CEDTAG_CONFIG"
_CALL = re.compile(r"@([\w-]+)")
_SHOWN = "cedtag.presets"


def take_presets(ctx: click.Context, _: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
    """The paths among the words; the options of the presets among them become defaults of the command.

    A word such as `@forest` is a preset; `./@forest` is a path.
    """
    called = [match[1] for word in words if (match := _CALL.fullmatch(word))]
    if called and not ctx.resilient_parsing:
        if LOADED in ctx.meta:
            raise InputError(f"@{called[0]} and loaded settings are alternatives; use one of them")
        file = preset_file()
        presets = read_presets(file)
        for name in called:
            if name not in presets:
                known = ", ".join(f"@{one}" for one in presets) or "none"
                raise InputError(f"{file}: has no preset {name} (there: {known}); a path is written ./@{name}")
            _apply(ctx, f"{file} [{name}]", presets[name])
            ctx.meta.setdefault(_SHOWN, []).append(f"preset {name} of {file}: {_as_text(presets[name])}")
    return tuple(word for word in words if not _CALL.fullmatch(word))


def shown_presets(ctx: click.Context) -> list[str]:
    """A sentence about each preset that was called."""
    found: list[str] = ctx.meta.get(_SHOWN, [])
    return found


def preset_file() -> Path:
    """The file of presets: that of the variable, or in this folder, or in the user's settings."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    here = Path(NAME)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"))  # noqa: PTH111
    return here if here.exists() or not (home / "cedtag" / NAME).exists() else home / "cedtag" / NAME


def read_presets(file: Path) -> dict[str, dict[str, Any]]:
    """The options of each preset in a file; InputError for one that holds anything else."""
    try:
        found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}); presets such as [forest] stand there, or in the file that "
            f"{VARIABLE} names"
        ) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise InputError(f"{file}: is no TOML ({error})") from error
    for name, options in found.items():
        if not isinstance(options, dict):
            raise InputError(f"{file}: {name} is outside of a preset; write it below a line such as [forest]")
    return found


def offered_presets(incomplete: str) -> list[CompletionItem[str]]:
    """The presets that begin like a word, for a shell."""
    from cedtag.cli.shared.shells import starting

    try:
        return starting(incomplete, *(f"@{name}" for name in read_presets(preset_file())))
    except InputError:
        return []


def presets_or_paths(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """What a shell is offered for a word that may call a preset."""
    from cedtag.cli.shared.shells import paths

    return offered_presets(incomplete) if incomplete.startswith("@") else paths(incomplete)


def _apply(ctx: click.Context, where: str, options: Mapping[str, Any]) -> None:
    known = {name: one for one in ctx.command.params if isinstance(one, Option) for name in one.opts}
    tagging = _tagging_options()
    for key, value in options.items():
        name = "--" + key.replace("_", "-")
        if name not in tagging:
            meant = " or ".join(one.lstrip("-") for one in similar_options(name, _tagging()))
            raise InputError(f"{where} {key}: there is no such option" + (f"; did you mean {meant}?" if meant else ""))
        if name in known:
            set_default(ctx, known[name], f"{where} {key}", value)


def set_default(ctx: click.Context, option: Option, place: str, value: object) -> None:
    """Make a value that stands at a place the default of an option."""
    assert option.name is not None
    values = value if isinstance(value, list) else [value]
    if any(isinstance(one, bool) != option.is_flag for one in values):
        raise InputError(f"{place}: expected {'true or false' if option.is_flag else 'a text or a number'}")
    if not all(isinstance(one, str | int | float) for one in values) or (
        isinstance(value, list) and not option.multiple
    ):
        raise InputError(f"{place}: expected {'texts or numbers' if option.multiple else 'one text or number'}")
    texts = [one if isinstance(one, bool) else str(one) for one in values]
    ctx.default_map = {**(ctx.default_map or {}), option.name: texts if option.multiple else texts[0]}
    ctx.meta.setdefault(SET_BY, {})[option.name] = place


def _tagging() -> click.Command:
    from cedtag.cli.tag import command

    return command


def _tagging_options() -> set[str]:
    return set(_names(_tagging()))


def _names(command: click.Command) -> Iterator[str]:
    for one in command.params:
        if isinstance(one, Option):
            yield from one.opts


def _as_text(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in options.items()) or "empty"
