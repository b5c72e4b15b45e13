"""Rows on standard output: a table on a terminal, tab-separated values in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def show(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the rows below their header, whole: a terminal that is too narrow folds a cell, and cuts nothing."""
    if not sys.stdout.isatty():
        for row in (header, *rows):
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(table)
