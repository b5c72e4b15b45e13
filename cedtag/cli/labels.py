"""`cedtag labels`: the classes of AudioSet or of a model, as a list or as the tree of the ontology."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.checkpoints import cache
from cedtag.checkpoints.locate import HubName, locate, resolve
from cedtag.checkpoints.registry import REPO_BY_NAME
from cedtag.cli.shared.options import Option
from cedtag.errors import InputError, ModelError
from cedtag.labels.table import Label, ancestors, audioset, descendants, labels_of, no_such_label, nodes, walk_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cedtag.labels.table import Node

Cells = tuple[str, str, str]
HEADER: Cells = ("index", "mid", "name")


@click.command("labels")
@click.option(
    "-m",
    "--model",
    metavar="NAME",
    help="The classes of this model, which must be on this machine: as for cedtag -m.",
    cls=Option,
)
@click.option(
    "--cache-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder for downloaded checkpoints.",
    cls=Option,
)
@click.option(
    "--find",
    "wanted",
    default="",
    metavar="TEXT",
    help="Only classes with TEXT in their name or MID, whatever the case.",
    cls=Option,
)
@click.option(
    "--tree",
    is_flag=True,
    help="Indent by the ontology; with --find, all above and below what was found.",
    cls=Option,
)
def command(model: str | None, cache_dir: Path | None, wanted: str, tree: bool) -> None:
    """List the 527 AudioSet classes, or those of a model: index, MID and name.

    --tree also shows the ontology's nodes that are no class; they have no index. A node with several parents is
    shown below each of them.

    \b
    cedtag labels --find rain
    cedtag labels -m demo
    """
    labels = _labels_of_model(model, cache_dir) if model else audioset()
    _show(_tree_rows(wanted, labels) if tree else _class_rows(wanted, labels))


def _labels_of_model(name: str, cache_dir: Path | None) -> Sequence[Label]:
    """The classes of a model; those of the published ones are AudioSet's, also where none was downloaded."""
    place = locate(name)
    if isinstance(place, HubName) and place.repo in REPO_BY_NAME.values():
        return audioset()
    cache.configure(cache_dir=cache_dir)
    checkpoint = resolve(name, download=False)
    if checkpoint.config is None:
        raise ModelError(f"{name} has no config.json, which names its classes; put it beside the weights")
    from cedtag.model.config import CedConfig

    return labels_of(CedConfig.from_file(checkpoint.config).id2label)


def _class_rows(wanted: str, labels: Sequence[Label]) -> list[Cells]:
    found = _matching(wanted, labels)
    return [(str(label.index), label.mid, label.name) for label in found]


def _tree_rows(wanted: str, labels: Sequence[Label]) -> list[Cells]:
    """The classes and what is above them in the ontology; classes that are not in it follow."""
    indices = {label.mid: label.index for label in labels if label.mid}
    is_audioset = labels is audioset()
    known = {node.mid for node in nodes()} if is_audioset else set(indices).union(*map(ancestors, indices))
    found = {one.mid for one in _matching(wanted, [*_nodes(known), *labels])}
    kept = known & found.union(*map(ancestors, found), *map(descendants, found))
    others = [label for label in labels if not label.mid and wanted.casefold() in label.name.casefold()]
    return [
        *((str(indices.get(node.mid, "")), node.mid, "  " * depth + node.name) for depth, node in walk_tree(kept)),
        *((str(label.index), "", label.name) for label in others),
    ]


def _nodes(mids: Iterable[str]) -> list[Node]:
    known = set(mids)
    return [node for node in nodes() if node.mid in known]


def _matching(wanted: str, known: Sequence[Label | Node]) -> list[Label | Node]:
    """Those whose MID or name contains `wanted`."""
    key = wanted.casefold()
    found = [one for one in known if key in one.name.casefold() or key in one.mid.casefold()]
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
