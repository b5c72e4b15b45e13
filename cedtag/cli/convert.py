"""`cedtag convert RESULTS...`: results that were written, in another format."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.common_options import note_written
from cedtag.cli.shared.options import SectionedCommand, gathered
from cedtag.cli.tag.options import row_options, target_options, without_defaults
from cedtag.labels.tag_filter import TagFilter
from cedtag.run.outputs.destination import Destination

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=SectionedCommand)
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...", type=click.Path())
@gathered("tags", TagFilter, ("Rows", without_defaults(row_options)))
@gathered("destination", Destination, ("Output", target_options))
def command(results: tuple[str, ...], tags: TagFilter, destination: Destination) -> None:
    """Write RESULTS (csv, tsv, jsonl, json, a journal or a store; - is standard input) in other formats.

    \b
    cedtag convert tags.csv -o tags.parquet
    cedtag convert tags.jsonl -f audacity -f srt -o labels/
    cedtag convert tags.csv --labels Dog -t 0.5 -o dogs.csv
    """
    from cedtag.cli.shared.streams import for_terminal, local_path
    from cedtag.results.convert import convert

    with ExitStack() as stack:
        paths: list[Path] = [local_path(name, stack) for name in results]
        note_written(destination.to, convert(paths, for_terminal(destination), tags))
