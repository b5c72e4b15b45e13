"""`cedtag convert RESULTS...`: rows that were written, in another format."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.options import SectionedCommand, option, options_in
from cedtag.writers import WRITERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo

output_options = options_in(
    "Output",
    option("-o", "--output", multiple=True, metavar="PATH", help="A file, a folder (a file per recording), or -."),
    option(
        "-f",
        "--format",
        multiple=True,
        type=click.Choice(list(WRITERS), case_sensitive=False),
        help="Repeatable.  [default: by the suffix of -o; table on a terminal, tsv in a pipe]",
    ),
    option("--layout", type=click.Choice(["long", "wide"]), default="long", show_default=True, help="CSV and TSV."),
    option("--overwrite", is_flag=True, help="Replace the files that are there."),
)


@click.command(cls=SectionedCommand)
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...", type=click.Path())
@output_options
def command(
    results: tuple[str, ...], output: tuple[str, ...], format: tuple[str, ...], layout: str, overwrite: bool
) -> None:
    """Write RESULTS (csv, tsv, jsonl, json or a journal; - is standard input) in other formats.

    \b
    cedtag convert tags.csv -o tags.parquet
    cedtag convert tags.jsonl -f audacity -f srt -o labels/
    """
    from cedtag.results.convert import read_all

    with ExitStack() as stack:
        run, found = read_all([local_path(name, stack) for name in results], layout)
        write_results(run, found, output, format, overwrite=overwrite)


def write_results(
    run: RunInfo, found: Iterable[Result], outputs: Sequence[str], formats: Sequence[str], *, overwrite: bool
) -> None:
    """Write results that are there to what -o and -f name."""
    from cedtag.cli.tag.outputs import files_of, is_folder, is_special, open_stream, to_stdout
    from cedtag.errors import InputError, OutputError
    from cedtag.results.convert import write_folder
    from cedtag.run.outputs.files import make_files

    if to_stdout(outputs) or is_special(outputs[0]):
        stream = open_stream(formats, {}, run, None if to_stdout(outputs) else Path(outputs[0]))
        for result in found:
            stream.write(result)
        stream.finish()
    elif any(map(is_folder, outputs)):
        if len(outputs) > 1:
            raise InputError("-o with a folder can stand only once; several -f write a file each for every recording")
        write_folder(Path(outputs[0]), formats or ["tsv"], found, run, overwrite=overwrite)
    else:
        files = files_of(outputs, formats)
        for path in files:
            if path.exists() and not overwrite:
                raise OutputError(f"{path}: this file exists; use --overwrite to replace it, or another -o")
        make_files(files, found, run)


def local_path(name: str, stack: ExitStack) -> Path:
    """The path of results; standard input is put into a file, because some formats are read twice."""
    if name != "-":
        return Path(name)
    import shutil
    from tempfile import TemporaryDirectory

    path = Path(stack.enter_context(TemporaryDirectory(prefix="cedtag-"))) / "standard input"
    with path.open("wb") as spool:
        shutil.copyfileobj(sys.stdin.buffer, spool)
    return path
