"""Thresholds for all classes and for single ones, from specs such as "0.2", "Speech=0.6" and "@thresholds.csv"."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.labels.table import find_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cedtag.labels.table import Label


def read_thresholds(specs: Sequence[str], parameter: str) -> tuple[float | None, dict[str, float]]:
    """The score for all classes, if one is given, and those of single classes by name, MID or index.

    Specs are such as "0.2", "Speech=0.6" and "@thresholds.csv". Later ones win, but the score of a class wins over that
    for all. Errors name the `parameter`.
    """
    of_all: float | None = None
    of_one: dict[str, float] = {}
    for spec in specs:
        for name, value in _read_spec(spec, parameter):
            if name is None:
                of_all = value
            else:
                of_one.pop(name, None)  # the order decides where two names mean one class
                of_one[name] = value
    return of_all, of_one


def thresholds_by_index(
    thresholds: Mapping[str | int, float], known: Sequence[Label], parameter: str = ""
) -> dict[str | int, float]:
    """The thresholds of single classes by index; InputError for a class that is none of those `known`."""
    return {
        index: value
        for name, value in thresholds.items()
        for index in (
            [name] if isinstance(name, int) else [label.index for label in find_labels(name, known, parameter)]
        )
    }


def _read_spec(spec: str, parameter: str) -> Iterator[tuple[str | None, float]]:
    """The (label, threshold) pairs of one spec; the label is None when the number is for all."""
    if spec.startswith("@"):
        yield from _read_thresholds(Path(spec[1:]))
        return
    name, equals, value = spec.rpartition("=")
    yield (name if equals else None), _probability(value, f"`{parameter}` {spec}")


def _read_thresholds(path: Path) -> Iterator[tuple[str, float]]:
    """The thresholds in a CSV file with the columns `label` (or `mid`) and `threshold`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from _threshold_rows(path, csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot read thresholds ({error})") from error


def _threshold_rows(path: Path, rows: Iterable[dict[str, str | None]]) -> Iterator[tuple[str, float]]:
    for number, row in enumerate(rows, 2):
        name = row.get("mid") or row.get("label")
        value = row.get("threshold")
        if name is None or value is None:
            raise InputError(f"{path}: line {number} needs the columns label (or mid) and threshold")
        yield name, _probability(value, f"{path}: line {number}")


def _probability(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"{where}: a threshold is a number from 0 to 1, not {text!r}")
    return value
