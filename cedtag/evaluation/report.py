"""The measures of an evaluation as a table for people, as CSV and JSON, and as thresholds for tagging."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cedtag.labels.table import labels_of
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cedtag.evaluation.metrics import ClassMeasure, Measure


@dataclass(frozen=True, slots=True)
class Report:
    """The measures of one evaluation; `about` holds its data and its model or results, `notes` what limits it."""

    about: Mapping[str, object]
    num_clips: int
    measures: Sequence[Measure]
    classes: Sequence[ClassMeasure]
    notes: Sequence[str] = ()


def to_text(report: Report) -> str:
    """Aligned columns: the measures over all classes, then every class that occurs, best first."""
    lines = [f"{report.num_clips} clips, {sum(one.positives > 0 for one in report.classes)} classes", ""]
    lines += _aligned([("", "value", "95 % interval"), *(_measure_row(measure) for measure in report.measures)])
    occurring = sorted((one for one in report.classes if one.positives), key=lambda one: -(one.ap or 0))
    rows: list[tuple[str, ...]] = [("class", "clips", "AP", "AUC", "d'", "threshold", "F1")]
    for one in occurring:
        numbers = (one.ap, one.auc, one.d_prime, one.threshold, one.f1)
        rows.append((one.name, str(one.positives), *("-" if n is None else f"{n:.3f}" for n in numbers)))
    notes = ["", *(f"note: {note}" for note in report.notes)] if report.notes else []
    return "\n".join([*lines, "", *_aligned(rows), *notes, ""])


def to_csv(report: Report) -> str:
    """One row per class, preceded by those over all classes, whose MID is empty."""
    out = io.StringIO()
    writer = RowWriter(out)
    writer.writerow(("measure", "mid", "label", "positives", "value", "low", "high"))
    for measure in report.measures:
        interval = ("", "") if measure.low is None else (_exact(measure.low), _exact(measure.high))
        writer.writerow((measure.name, "", "", "", _exact(measure.value), *interval))
    mids = _mids(report.classes)
    for one in report.classes:
        for name, value in asdict(one).items():
            if name not in ("name", "positives") and value is not None:
                writer.writerow((name, mids[one.name], one.name, one.positives, _exact(value), "", ""))
    return out.getvalue()


def to_json(report: Report) -> str:
    """One document with everything; a measure that is undefined is null."""
    mids = _mids(report.classes)
    document = {
        "schema": "cedtag-evaluation/1",
        **report.about,
        "clips": report.num_clips,
        "measures": {measure.name: _numbers(asdict(measure), leave_out="name") for measure in report.measures},
        "classes": [
            {"mid": mids[one.name], "label": one.name, **_numbers(asdict(one), leave_out="name")}
            for one in report.classes
        ],
        "notes": list(report.notes),
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Report], str]] = {"table": to_text, "csv": to_csv, "json": to_json}


def thresholds_csv(classes: Sequence[ClassMeasure]) -> str:
    """The thresholds of best F1, as `cedtag tag -t @FILE` reads them, of the classes that have one."""
    out = io.StringIO()
    writer = RowWriter(out)
    writer.writerow(("label", "mid", "threshold", "f1"))
    mids = _mids(classes)
    for one in classes:
        if one.threshold is not None and one.f1 is not None:
            writer.writerow((one.name, mids[one.name], f"{one.threshold:.5f}", f"{one.f1:.4f}"))
    return out.getvalue()


def _measure_row(measure: Measure) -> tuple[str, str, str]:
    interval = "" if measure.low is None else f"{measure.low:.3f} to {measure.high:.3f}"
    return measure.name, "-" if math.isnan(measure.value) else f"{measure.value:.3f}", interval


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]


def _mids(classes: Iterable[ClassMeasure]) -> dict[str, str]:
    return {label.name: label.mid for label in labels_of(dict(enumerate(one.name for one in classes)))}


def _exact(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6f}"


def _numbers(values: Mapping[str, float | None], leave_out: str) -> dict[str, float | None]:
    return {
        name: None if value is None or math.isnan(value) else round(value, 6)
        for name, value in values.items()
        if name != leave_out
    }
