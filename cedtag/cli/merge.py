"""`cedtag merge PART...`: the outputs of shards, joined into one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.common_options import note_written
from cedtag.cli.shared.options import SectionedCommand, gathered
from cedtag.cli.shared.target_options import errors_option, target_options
from cedtag.run.outputs.destination import Destination

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(cls=SectionedCommand)
@click.argument("parts", nargs=-1, required=True, metavar="PART...", type=click.Path(path_type=Path))
@gathered("destination", Destination, ("Output", [*target_options, errors_option]))
def command(parts: Sequence[Path], destination: Destination) -> None:
    """Join the outputs of `cedtag --shard I/N -o PART` into the output of an undivided run.

    Each PART is an output file with its journal beside it. Nothing may be missing or there twice. The joined output has
    a journal, too: `cedtag` without --shard goes on from it. Stores are joined into a store.

    \b
    cedtag merge 1.csv 2.csv 3.csv -o all.csv
    """
    from cedtag.run.merging import merge

    recordings = merge(parts, destination)
    note_written(destination.to, f"{recordings:,} recordings of {len(parts)} parts")
