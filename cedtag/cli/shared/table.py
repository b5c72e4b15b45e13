"""Rows on standard output: a table on a terminal, tab-separated values in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def show(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the rows below their header, whole: a terminal that is too narrow folds what it must."""
    if not sys.stdout.isatty():
        for row in (header, *rows):
            click.echo("\t".join(row))
        return
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    table = Table(box=None, header_style="bold")
    # Words stay whole, so that they can be read and copied; cells are folded at their blanks alone.
    least_width = 0
    for name, *below in zip(*cells, strict=True):
        words = [word for cell in (name, *below) for word in cell.split()]
        table.add_column(name, no_wrap=not any(" " in cell for cell in below))
        least_width += max(map(cell_len, words)) + 2
    for row in cells[1:]:
        table.add_row(*map(Text, row))
    console = Console()
    console.width = max(console.width, least_width)
    console.print(table, soft_wrap=True)
