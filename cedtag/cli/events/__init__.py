"""`cedtag events PATH...`: from when to when which class is heard, from recordings or from rows."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cedtag.cli.shared.event_options import event_options, refine_option
from cedtag.cli.shared.options import SectionedCommand, model_options, talk_options
from cedtag.cli.tag import Options, input_options, machine_options, output_options, window_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cedtag.records import Result

# Everything else says how recordings are scored, which is over when there are rows.
FOR_ROWS = {
    "paths",
    "window",
    "onset",
    "offset",
    "min_duration_on",
    "min_duration_off",
    "pad_onset",
    "pad_offset",
    "output",
    "format",
    "overwrite",
    "quiet",
    "verbose",
    "progress",
    "no_color",
}


@click.command(cls=SectionedCommand)
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path())
@event_options
@refine_option
@output_options
@window_options
@input_options
@model_options
@machine_options
@talk_options
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Show from when to when which class is heard.

    PATH is a recording or a folder of recordings: then this is `cedtag tag --events`. Or it is rows that were written
    (csv, tsv, jsonl, json, a journal, or - for standard input): then nothing is scored again.

    \b
    cedtag events street.wav --onset 0.4 --min-duration-off 2
    cedtag archive/ -k 0 -t 0.2 -o tags.csv; cedtag events tags.csv --onset Siren=0.3 -o events.csv
    """
    from cedtag.errors import InputError

    paths: tuple[str, ...] = options["paths"]
    are_rows = [_is_rows(path) for path in paths]
    if not any(are_rows):
        from cedtag.cli.tag.run import tag

        return tag(Options(**options, events=True))
    if not all(are_rows):
        raise InputError(f"{paths[are_rows.index(False)]}: rows and recordings cannot be mixed; name one kind")
    for name in options.keys() - FOR_ROWS:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise InputError(f"--{name.replace('_', '-')} is about scoring, and rows are scored; leave it out")
    _from_rows(options)
    return 0


def _is_rows(path: str) -> bool:
    from cedtag.results.read import FORMATS

    return path == "-" or path.lower().endswith(tuple(f".{name}" for name in FORMATS))


def _from_rows(options: dict[str, Any]) -> None:
    from dataclasses import replace

    from cedtag.cli.convert import local_path, write_results
    from cedtag.cli.shared.event_options import event_settings
    from cedtag.errors import InputError
    from cedtag.events.detect import events
    from cedtag.events.missing_windows import with_silent_windows
    from cedtag.labels.groups import ontology
    from cedtag.labels.table import audioset
    from cedtag.results.convert import read_all

    if options["no_color"]:
        os.environ["NO_COLOR"] = "1"
    shape = {name: options[name] for name in ("onset", "offset", "min_duration_on", "min_duration_off")}
    pads = {name: options[name] for name in ("pad_onset", "pad_offset")}
    with ExitStack() as stack:
        paths = [local_path(name, stack) for name in options["paths"]]
        run, rows = read_all(paths, "long")
        settings = event_settings(**shape, **pads, known=run.labels or ontology(audioset()))
        if table := _row_per_tag(paths):
            if settings.pad_offset_s:
                raise InputError(
                    f"{table}: --pad-offset needs to know where recordings end, which a table with a row per tag does "
                    "not tell; make events of jsonl, json or a journal"
                )
            rows = with_silent_windows(rows, options["window"])
        made = events(_no_events(rows), settings)
        write_results(
            replace(run, events=settings), made, options["output"], options["format"], overwrite=options["overwrite"]
        )


def _row_per_tag(paths: Sequence[Path]) -> Path | None:
    """The first of the files that is a table in which windows without tags have no row."""
    for path in paths:
        with path.open("rb") as file:
            head = file.readline(1 << 16)
        if not head.startswith(b"{") and b"rank" in head.strip().replace(b"\t", b",").split(b","):
            return path
    return None


def _no_events(rows: Iterable[Result]) -> Iterator[Result]:
    from cedtag.errors import InputError
    from cedtag.records import SoundEvent

    for row in rows:
        if isinstance(row, SoundEvent):
            raise InputError(
                f"{row.source.name}: these are events already; cedtag convert writes them in other formats"
            )
        yield row
