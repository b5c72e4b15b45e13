"""`cedtag labels`: the AudioSet classes, as a list or as the tree of the ontology."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.options import Option
from cedtag.errors import InputError
from cedtag.labels.table import ancestors, audioset, descendants, no_such_label, nodes, walk_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cedtag.labels.table import AudioSetClass, Node

Cells = tuple[str, str, str]
HEADER: Cells = ("index", "mid", "name")


@click.command("labels")
@click.option(
    "--find",
    "wanted",
    default="",
    metavar="TEXT",
    help="Only classes with TEXT in their name or MID, whatever the case.",
    cls=Option,
)
@click.option(
    "--tree", is_flag=True, help="Indent by the ontology; with --find, all above and below what was found.", cls=Option
)
def command(wanted: str, tree: bool) -> None:
    """List the 527 AudioSet classes: index, MID and name.

    --tree also shows the ontology's nodes that are no class; they have no index. A node with several parents is
    shown below each of them.
    """
    _show(_tree_rows(wanted) if tree else _class_rows(wanted))


def _class_rows(wanted: str) -> list[Cells]:
    found = _matching(wanted, audioset())
    return [(str(label.index), label.mid, label.name) for label in audioset() if label.mid in found]


def _tree_rows(wanted: str) -> list[Cells]:
    found = _matching(wanted, nodes())
    kept = found.union(*map(ancestors, found), *map(descendants, found))
    return [
        ("" if node.index is None else str(node.index), node.mid, "  " * depth + node.name)
        for depth, node in walk_tree(kept)
    ]


def _matching(wanted: str, known: Sequence[AudioSetClass | Node]) -> frozenset[str]:
    """The MIDs that contain `wanted`, or whose names do."""
    key = wanted.casefold()
    found = frozenset(one.mid for one in known if key in one.name.casefold() or key in one.mid.casefold())
    if not found:
        raise InputError(no_such_label(wanted, [one.name for one in known]))
    return found


def _show(rows: Iterable[Cells]) -> None:
    if not sys.stdout.isatty():
        for row in (HEADER, *rows):
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    table.add_column("index", justify="right")
    table.add_column("mid", no_wrap=True, style="dim")
    table.add_column("name", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
