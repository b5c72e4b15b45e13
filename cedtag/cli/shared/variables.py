"""The variables of the environment that set options: which one an option of a command is read from, and how."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PREFIX = "CEDTAG"
# `CEDTAG_<OPTION>` is an option of these commands; those of other commands carry the name of the command, too,
TAGGING = ("tag", "events", "query")
# but for the options that mean the same everywhere.
EVERYWHERE = {"model", "offline", "cache-dir", "device", "quiet", "verbose", "progress", "no-progress", "no-color"}


def variables(words: Sequence[str], names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The variables of an option with these names of the command that is called by `words`, the foremost first.

    Those in one tuple are names of the same thing: `CEDTAG_THRESHOLD` and `CEDTAG_MIN_CONF`.
    """
    long_names = [name.lstrip("-") for name in names if name.startswith("--")]
    yield tuple(_variable(*words, name) for name in long_names)
    if words[0] in TAGGING or not EVERYWHERE.isdisjoint(long_names):
        yield tuple(_variable(name) for name in long_names)


def words_of(context: click.Context) -> tuple[str, ...]:
    """What is typed to call the command of a context, without the name of the program."""
    return () if context.parent is None else (*words_of(context.parent), context.info_name or "")


def variable_that_sets(context: click.Context, names: Iterable[str]) -> str | None:
    """The variable that sets the option with these names here; UsageError where two contradict each other."""
    for group in variables(words_of(context) or ("",), names):
        found = [name for name in group if os.environ.get(name)]
        if len({os.environ[name] for name in found}) > 1:
            raise click.UsageError(f"{' and '.join(found)} are the same option; unset one of them", context)
        if found:
            return found[0]
    return None


def _variable(*words: str) -> str:
    return "_".join((PREFIX, *words)).replace("-", "_").replace(" ", "_").upper()
