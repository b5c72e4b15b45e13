"""Probabilities -> the tags that are shown: which classes, from which score on, how many."""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import InputError
from cedtag.labels import find_labels
from cedtag.records import Tag, TagResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cedtag.labels import Label
    from cedtag.records import ScoredWindow

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selector:
    """Keeps the `top_k` best classes (0: all) whose score reaches their own threshold `(classes,)`; inf keeps none."""

    labels: Sequence[Label]
    thresholds: NDArray[np.float64]
    top_k: int

    def __call__(self, scored: ScoredWindow) -> TagResult:
        """The window's tags, best first; equal scores stand in the order of the classes.

        Scores are rounded before they are compared, so that the number that is shown is the number that decided.
        """
        scores = np.round(scored.probabilities.astype(np.float64), 4)
        chosen = np.flatnonzero(scores >= self.thresholds)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")][: self.top_k or None]
        tags = tuple(self._tag(int(i), float(scores[i])) for i in chosen)
        return TagResult(scored.source, scored.index, scored.start, scored.stop, tags)

    def _tag(self, index: int, score: float) -> Tag:
        label = self.labels[index]
        return Tag(label.index, label.mid, label.name, score)


def selected(labels: Sequence[Label], wanted: Sequence[str], unwanted: Sequence[str]) -> tuple[Label, ...]:
    """The labels that were asked for (all, when none was named) without those that were excluded, in model order."""
    named = _indices(wanted, labels) if wanted else {label.index for label in labels}
    shown = named - _indices(unwanted, labels)
    kept = tuple(label for label in labels if label.index in shown)
    if not kept:
        raise InputError("--labels and --exclude leave no class; name at least one that is not excluded")
    return kept


def _indices(names: Sequence[str], labels: Sequence[Label]) -> set[int]:
    """The classes that the names stand for; a name that is unknown is logged, and an error when all are."""
    found: set[int] = set()
    unknown: list[str] = []
    for name in names:
        indices, complaint = _look_up(name, labels)
        found |= indices
        unknown += complaint
    if unknown and not found:
        raise InputError(unknown[0])
    for text in unknown:
        logger.warning("%s", text)
    return found


def _look_up(name: str, labels: Sequence[Label]) -> tuple[set[int], list[str]]:
    try:
        return {label.index for label in find_labels(name, labels)}, []
    except InputError as error:
        return set(), [str(error)]


def class_thresholds(
    labels: Sequence[Label], kept: Sequence[Label], specs: Sequence[str], default: float
) -> NDArray[np.float64]:
    """A threshold per class `(classes,)` from specs such as "0.2", "Speech=0.6" and "@thresholds.csv"; later ones win.

    Classes that are not kept get inf.
    """
    thresholds = np.full(len(labels), default)
    for name, value in (pair for spec in specs for pair in _read_spec(spec)):
        for label in find_labels(name, labels) if name is not None else labels:
            thresholds[label.index] = value
    excluded = np.ones(len(labels), bool)
    excluded[[label.index for label in kept]] = False
    thresholds[excluded] = np.inf
    return thresholds


def _read_spec(spec: str) -> Iterator[tuple[str | None, float]]:
    """The (label, threshold) pairs of one `-t`; the label is None when the number is for all."""
    if spec.startswith("@"):
        yield from _read_thresholds(Path(spec[1:]))
        return
    name, equals, value = spec.rpartition("=")
    yield (name if equals else None), _probability(value, f"-t/--threshold {spec}")


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
