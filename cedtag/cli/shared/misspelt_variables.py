"""Variables that begin as those of options do, and set none: a misspelt one would change nothing in silence."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.presets import VARIABLE
from cedtag.cli.shared.variables import PREFIX, variables

if TYPE_CHECKING:
    from collections.abc import Iterator


def unknown_variables(context: click.Context) -> list[str]:
    """A sentence about each variable that begins with CEDTAG_ and is of no option of any command."""
    names = sorted(name for name, value in os.environ.items() if name.startswith(f"{PREFIX}_") and value)
    if not names:
        return []
    known = {VARIABLE, *_of_command(context.find_root().command, ())}
    return [_sentence(name, known) for name in names if name not in known]


def _sentence(name: str, known: set[str]) -> str:
    own = name.removeprefix(PREFIX)
    of_commands = sorted((one for one in known if one.endswith(own)), key=lambda one: (len(one), one))[:2]
    rests = sorted(one.removeprefix(PREFIX) for one in known)
    near = of_commands or [PREFIX + rest for rest in get_close_matches(own, rests, n=1, cutoff=0.8)]
    meant = f"did you mean {' or '.join(near)}?" if near else "docs/settings.md has the table"
    return f"the variable {name} sets no option; {meant}"


def _of_command(command: click.Command, words: tuple[str, ...]) -> Iterator[str]:
    """The variables of all options of a command that is called by these words, and of the commands below it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if below := command.get_command(context, name):
                yield from _of_command(below, (*words, name))
    elif words:
        for one in command.params:
            if isinstance(one, click.Option):
                for group in variables(words, [*one.opts, *one.secondary_opts]):
                    yield from group
