"""What is said of labelled data before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cedtag.inputs.manifest import without_class
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from pathlib import Path


def say_what_is_left_out(data: Path) -> None:
    """Print how many recordings of a folder have no class, because they lie beside the folders of the classes."""
    if left_out := without_class(data):
        first = printable(left_out[0].name)
        text = f"{len(left_out)} recordings" if len(left_out) > 1 else "1 recording"
        click.echo(
            f"cedtag: {printable(str(data))}: {text} beside the folders of the classes left out ({first}); "
            "the class is the name of the folder",
            err=True,
        )
