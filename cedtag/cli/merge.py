"""`cedtag merge PART...`: the outputs of shards, joined into one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.options import SectionedCommand, option, options_in
from cedtag.writers import WRITERS

if TYPE_CHECKING:
    from collections.abc import Sequence

output_options = options_in(
    "Output",
    option("-o", "--output", multiple=True, required=True, metavar="PATH", help="A file, repeatable, or a folder."),
    option(
        "-f",
        "--format",
        multiple=True,
        type=click.Choice(list(WRITERS), case_sensitive=False),
        help="Repeatable.  [default: by the suffix of -o]",
    ),
    option("--layout", type=click.Choice(["long", "wide"]), default="long", show_default=True, help="CSV and TSV."),
    option("--errors", metavar="FILE", help="Write what failed as JSON lines {path, stage, error}."),
    option("--overwrite", is_flag=True, help="Replace the results that are there."),
)


@click.command(cls=SectionedCommand)
@click.argument("parts", nargs=-1, required=True, metavar="PART...", type=click.Path(path_type=Path))
@output_options
def command(
    parts: tuple[Path, ...],
    output: tuple[str, ...],
    format: tuple[str, ...],
    layout: str,
    errors: str | None,
    overwrite: bool,
) -> None:
    """Join the outputs of `cedtag --shard I/N -o PART` into what an undivided run would have written.

    Each PART is an output file with its journal beside it. Nothing may be missing or there twice. The joined output has
    a journal, too: `cedtag` without --shard goes on from it.

    \b
    cedtag merge 1.csv 2.csv 3.csv -o all.csv
    """
    from contextlib import closing

    from cedtag.cli.tag.outputs import files_beside, open_output, to_stdout
    from cedtag.errors import InputError
    from cedtag.run.merging import joined_results, read_parts, run_of

    if to_stdout(output):
        raise InputError("-o - has no journal to go on from; name a file, and convert it with cedtag convert")
    found = read_parts(parts)
    beside = files_beside(errors, None)
    check_replaceable([*map(Path, output), *beside], [part.path for part in found], overwrite=overwrite)
    results = joined_results(found)
    run = replace(run_of(found), layout=layout)
    with closing(open_output(output, format, beside, run, resume=True, overwrite=True)) as joined:
        for result in results:
            joined.write(result)
        joined.finish()


def check_replaceable(outputs: Sequence[Path], journals: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse to write over one of the parts, and over anything else without being told."""
    from cedtag.errors import InputError, OutputError
    from cedtag.run.outputs.files import journal_beside
    from cedtag.run.outputs.folder import journal_in

    parts = {journal.resolve() for journal in journals}
    for output in outputs:
        journal = journal_in(output) if output.is_dir() else journal_beside(output)
        if journal.resolve() in parts:
            raise InputError(f"{output}: this is one of the parts; name another -o")
        for path in (journal, output):
            if not overwrite and path.exists() and not path.is_dir():
                raise OutputError(f"{path}: this file exists; use --overwrite to replace it, or another -o")
