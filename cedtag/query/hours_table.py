"""Counts of classes as a table, csv, tsv, json or json lines."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.run.outputs.places import check_destination
from cedtag.run.summary import duration
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.terminal import printable
from cedtag.writers import DEFAULT_FORMAT, format_of
from cedtag.writers.lines import encode
from cedtag.writers.segments import encoded
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.query.hours import Hours
    from cedtag.run.outputs.destination import Destination
    from cedtag.writers.run_info import RunInfo

FORMATS = ("table", "csv", "tsv", "json", "jsonl")


def write_hours(hours: Hours, run: RunInfo, destination: Destination) -> None:
    """Write the counts to each place in its format; `check_hours` has allowed them."""
    for place, name in _places(destination):
        text = encoded(_text(hours, run, name))
        if place is None:
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
            continue
        with writing(place), writing_whole(place) as out:
            out.write(text)


def check_hours(destination: Destination, inputs: Sequence[Path] = ()) -> None:
    """InputError or OutputError for a destination that can take no counts."""
    if destination.layout != "long" or destination.plot is not None:
        raise InputError("`hours` shows counts in place of windows; leave `layout` and `plot` out")
    if destination.is_folder:
        raise InputError("`hours` makes one table; name a file with `to`")
    for _, name in _places(destination):
        if name not in FORMATS:
            raise InputError(f"`hours` is written as {', '.join(FORMATS)}, and not as {name}")
    check_destination(destination, inputs, keeps_journal=False)


def _places(destination: Destination) -> list[tuple[Path | None, str]]:
    """Each file with the name of its format; None is standard output."""
    if destination.is_stdout:
        return [(None, name) for name in destination.formats or (DEFAULT_FORMAT,)]
    names = destination.formats or [format_of(Path(place)) for place in destination.to]
    return [(Path(place), name) for place, name in zip(destination.to, names, strict=False)]


def _text(hours: Hours, run: RunInfo, name: str) -> str:
    pieces = "windows" if run.events is None else "events"
    header = (*([hours.by] if hours.by else ()), "index", "mid", "label", pieces, "recordings", "seconds", "of_seconds")
    rows = [row if hours.by else row[1:] for row in hours.rows()]
    if name in ("json", "jsonl"):
        objects = [dict(zip(header, row, strict=True)) for row in rows]
        if name == "jsonl":
            return "".join(encode(one).decode() + "\n" for one in objects)
        lines = ",\n".join(encode(one).decode() for one in objects)
        return encode(run.to_dict()).decode()[:-1] + f', "hours": [\n{lines}\n]}}\n'
    if name == "table":
        return _aligned(hours)
    text = io.StringIO()
    writer = RowWriter(text, "," if name == "csv" else "\t")
    writer.writerow(header)
    for *what, seconds, of_seconds in rows:
        writer.writerow("" if field is None else field for field in (*what, f"{seconds:.3f}", f"{of_seconds:.3f}"))
    return text.getvalue()


def _aligned(hours: Hours) -> str:
    """The counts for people: a heading per bin with what was recorded in it, and a line per class."""
    lines, heading = [f"  {'time':>12}  {'found':>9}  {'recordings':>10}  class"], None
    nameless = "all" if hours.by is None else "start time not known"
    for bin_, _, _, label, pieces, recordings, seconds, of_seconds in hours.rows():
        if bin_ != heading:
            heading = bin_
            lines.append(f"{printable(bin_ or nameless)}: {duration(of_seconds)} of audio")
        if label:
            lines.append(f"  {duration(seconds):>12}  {pieces:>9,}  {recordings:>10,}  {printable(label)}")
    return "".join(f"{line}\n" for line in lines)
