"""The files that a command reads beside those in its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.checkpoints.locate import files_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from cedtag.checkpoints.choice import ModelChoice

_THRESHOLDS = ("threshold", "onset", "offset")


def files_of_options(context: click.Context, choice: ModelChoice | None = None) -> Iterator[Path]:
    """The list of paths, the files of thresholds, and the files of a checkpoint that is named by its path."""
    listed = context.params.get("files_from")
    if listed:
        yield Path(listed)
    if names := context.params.get("label_names"):
        yield Path(names)
    for name in _THRESHOLDS:
        specs = context.params.get(name) or ()
        yield from (Path(spec[1:]) for spec in specs if isinstance(spec, str) and spec.startswith("@"))
    if choice is not None:
        yield from files_at(choice.model)
