"""A threshold per class, from what stands on the command line and in files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import InputError
from cedtag.labels.table import find_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cedtag.labels.table import Label


def class_thresholds(
    specs: Sequence[str], shown: Sequence[Label], known: Sequence[Label], default: float
) -> NDArray[np.float64]:
    """A threshold for each of the labels that are shown, `(labels,)`; see `read_thresholds`."""
    usual, special = read_thresholds(specs, known, "-t/--threshold")
    return np.array([special.get(label.index, default if usual is None else usual) for label in shown])


def read_thresholds(specs: Sequence[str], known: Sequence[Label], option: str) -> tuple[float | None, dict[int, float]]:
    """What is said of all classes, if anything, and of single ones by index; all that are `known` can be named.

    Specs are such as "0.2", "Speech=0.6" and "@thresholds.csv". Later ones win, but what is said of one class wins over
    what is said of all.
    """
    pairs = [pair for spec in specs for pair in _read_spec(spec, option)]
    of_all = [value for name, value in pairs if name is None]
    of_one = {label.index: value for name, value in pairs if name is not None for label in find_labels(name, known)}
    return (of_all[-1] if of_all else None), of_one


def _read_spec(spec: str, option: str) -> Iterator[tuple[str | None, float]]:
    """The (label, threshold) pairs of one spec; the label is None when the number is for all."""
    if spec.startswith("@"):
        yield from _read_thresholds(Path(spec[1:]))
        return
    name, equals, value = spec.rpartition("=")
    yield (name if equals else None), _probability(value, f"{option} {spec}")


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
