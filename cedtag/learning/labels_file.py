"""Files of labels: yes or no for clips, or for stretches of recordings in a store."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.inputs.window_settings import samples_of
from cedtag.records import LONGEST_S
from cedtag.similar.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

COLUMNS = ("clip", "recording", "start", "end", "label")
_ANSWERS = {"yes": True, "y": True, "1": True, "true": True, "no": False, "n": False, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes or no, for a recording at `clip`, or for a place in the store; `where` says where it was given."""

    is_yes: bool
    where: str
    clip: Path | None = None
    place: Place | None = None


def read_labels(file: Path, class_name: str) -> tuple[list[Answer], int]:
    """The answers in a file, and how many rows wait for one.

    Rows have `label` (yes or no, or the name of the class for yes) and `recording,start,end`, or `clip`: a path from
    the folder of the file on.
    """
    answers, num_waiting = [], 0
    for number, row in enumerate(_rows(file), 2):
        where = f"{file}, line {number}"
        label = row["label"].strip()
        if not label:
            num_waiting += 1
            continue
        is_yes = True if label == class_name else _ANSWERS.get(label.casefold())
        if is_yes is None:
            raise InputError(f"{where}: the label is {label!r}; write yes or no")
        if row.get("recording"):
            answers.append(Answer(is_yes, where, place=_place(row, where)))
        elif row.get("clip"):
            answers.append(Answer(is_yes, where, clip=file.parent / row["clip"]))
        else:
            raise InputError(f"{where}: names neither a recording nor a clip")
    return answers, num_waiting


def _rows(file: Path) -> Iterator[Mapping[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            rows: Sequence[list[str]] = list(csv.reader(stream))
    except (OSError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    if "label" not in header or not ("clip" in header or {"recording", "start", "end"} <= set(header)):
        raise InputError(f"{file}: the first line must name the columns label, and clip or recording,start,end")
    for number, row in enumerate(rows[1:], 2):
        if len(row) not in (0, len(header)):
            raise InputError(f"{file}, line {number}: {len(row)} of {len(header)} columns; expected {','.join(header)}")
        yield dict(zip(header, row or [""] * len(header), strict=True))


def _place(row: Mapping[str, str], where: str) -> Place:
    try:
        start, end = float(row.get("start", "")), float(row.get("end", ""))
    except ValueError:
        raise InputError(f"{where}: start and end are not times in seconds") from None
    if not 0 <= start < end <= LONGEST_S:
        raise InputError(f"{where}: {row['start']} to {row['end']} is no stretch in seconds")
    return Place(row["recording"], samples_of(start), samples_of(end))
