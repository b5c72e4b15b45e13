"""`cedtag convert RESULTS...`: results that were written, in another format."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from cedtag.cli.shared.common_options import note_written
from cedtag.cli.shared.options import SectionedCommand, gathered
from cedtag.cli.shared.row_options import row_options, without_defaults
from cedtag.cli.shared.target_options import target_options
from cedtag.labels.tag_filter import TagFilter
from cedtag.run.outputs.destination import Destination
from cedtag.writers import WRITERS

HOPLITE = "hoplite"  # of stores alone, and a folder with a database and an index: no writer of rows
_options = [
    replace(spec, settings={**spec.settings, "type": click.Choice([*WRITERS, HOPLITE], case_sensitive=False)})
    if spec.parameter == "formats"
    else spec
    for spec in target_options
]


@click.command(cls=SectionedCommand)
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...", type=click.Path())
@gathered("tags", TagFilter, ("Rows", without_defaults(row_options)))
@gathered("destination", Destination, ("Output", _options))
def command(results: tuple[str, ...], tags: TagFilter, destination: Destination) -> None:
    """Write RESULTS (csv, tsv, jsonl, json, a journal or a store; - is standard input) in other formats.

    \b
    cedtag convert tags.csv -o tags.parquet
    cedtag convert tags.jsonl -f audacity -f srt -o labels/
    cedtag convert tags.csv --labels Dog -t 0.5 -o dogs.csv
    cedtag convert store -f hoplite -o hoplite/    embeddings, for perch-hoplite
    """
    from cedtag.cli.shared.streams import for_terminal, local_path
    from cedtag.results.convert import convert

    if HOPLITE in destination.formats:
        _write_hoplite(results, destination, tags)
        return
    with ExitStack() as stack:
        paths: list[Path] = [local_path(name, stack) for name in results]
        note_written(destination.to, convert(paths, for_terminal(destination), tags))


def _write_hoplite(results: tuple[str, ...], destination: Destination, tags: TagFilter) -> None:
    """Write the embeddings of one store to one folder."""
    from cedtag.errors import InputError
    from cedtag.store import is_score_store, open_store
    from cedtag.store.hoplite import write_hoplite

    if len(results) != 1 or not is_score_store(Path(results[0])):
        raise InputError(f"{results[0]}: hoplite holds embeddings; name one store, from `cedtag tag --store`")
    if destination.formats != (HOPLITE,) or len(destination.to) != 1 or destination.is_stream:
        raise InputError("`formats` hoplite goes alone, to one folder: name it with `to`")
    if tags != TagFilter():
        raise InputError("hoplite holds every window and no tags; leave the options of rows out")
    count = write_hoplite(open_store(Path(results[0])), Path(destination.to[0]), overwrite=destination.overwrite)
    note_written(destination.to, f"{count:,} windows with their embeddings")
