"""One row per recording: of each class the best score, and for how long it reached its threshold."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cedtag.records import SAMPLES_PER_MS, SoundEvent, TagResult
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS
from cedtag.writers.clock_columns import clock_times_at, shows_clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cedtag.records import FileEnd, FileFailed
    from cedtag.writers.run_info import RunInfo

logger = logging.getLogger(__name__)
LAYOUT = "file"
COLUMNS = ("status", "duration")
_EMPTY_TIMES = ("", "")


@dataclass(slots=True)
class ClassTotal:
    """The best score of a class in a recording, and the milliseconds in which it occurs, each once."""

    index: int
    mid: str
    label: str
    best: float = 0.0
    num_ms: int = 0
    _until: int = 0

    def add(self, start: int, stop: int, score: float) -> None:
        """Take a window or an event, in milliseconds; they come by their starts."""
        self.best = max(self.best, score)
        self.num_ms += max(0, stop - max(start, self._until))
        self._until = max(self._until, stop)

    @property
    def seconds(self) -> float:
        return self.num_ms / 1000


@dataclass(slots=True)
class Totals:
    """The classes of the recording at hand."""

    run: RunInfo
    by_class: dict[tuple[int, str], ClassTotal] = field(default_factory=dict)

    def add(self, piece: TagResult | SoundEvent) -> None:
        if isinstance(piece, SoundEvent):
            found = [(piece.index, piece.mid, piece.label, piece.peak)]
        else:
            # Rows from which means are made hold scores below the threshold, too.
            tags = [tag for tag in piece.tags if tag.score >= self._threshold_of(tag.label)]
            found = [(tag.index, tag.mid, tag.label, tag.score) for tag in tags]
        for index, mid, label, score in found:
            total = self.by_class.setdefault((index, label), ClassTotal(index, mid, label))
            total.add(piece.start // SAMPLES_PER_MS, piece.stop // SAMPLES_PER_MS, score)

    def _threshold_of(self, label: str) -> float:
        made = self.run.settings
        return float(made.get("thresholds", {}).get(label, made.get("threshold", 0)))

    def header(self) -> tuple[str, ...]:
        """The columns after the name of the recording: two per class, `Dog` and `Dog (s)`."""
        clock = CLOCK_COLUMNS if shows_clock(self.run) else ()
        return (*clock, *COLUMNS, *(name for label in self.run.labels for name in (label.name, f"{label.name} (s)")))

    def row(self, end: FileEnd | FileFailed) -> tuple[str, ...]:
        """The fields of a recording that has come to its end, below that header; the next one begins with nothing."""
        facts = end.to_dict()
        clock = _clock(end) if shows_clock(self.run) else ()
        totals = [self.by_class.get((label.index, label.name)) for label in self.run.labels]
        scores = [field for one in totals for field in ((f"{one.best:.4f}", f"{one.seconds:.3f}") if one else ("", ""))]
        self.by_class = {}
        return (*clock, facts["status"], f"{facts['duration']:.3f}" if "duration" in facts else "", *scores)

    def to_json(self, end: FileEnd | FileFailed) -> dict[str, Any]:
        """The outcome of the recording with its classes, best first; the next one begins with nothing."""
        ordered = sorted(self.by_class.values(), key=lambda total: (-total.best, total.index))
        self.by_class = {}
        file, *rest = end.to_dict().items()
        clock = zip(CLOCK_COLUMNS, (time or None for time in _clock(end)), strict=True) if shows_clock(self.run) else ()
        totals = [
            {"index": one.index, "mid": one.mid, "label": one.label, "best": one.best, "seconds": one.seconds}
            for one in ordered
        ]
        return dict([file, *clock, *rest, ("classes", totals)])


def warn_of_top_k(path: Path, run: RunInfo) -> None:
    """Log it where the tags of a run are too few for the seconds of classes."""
    if top_k := run.settings.get("top-k"):
        logger.warning(
            "%s: its run kept the %d best tags of a window, so that scores and seconds of other classes are low; "
            "tag with -k 0 to have them whole",
            path,
            top_k,
        )


def is_per_recording(run: RunInfo) -> bool:
    """Whether rows of this run are one per recording."""
    return run.layout == LAYOUT


def _clock(end: FileEnd | FileFailed) -> Sequence[str]:
    """When a recording began and ended on the clock."""
    num_samples = getattr(end, "num_samples", 0)
    return clock_times_at(end.source, 0, num_samples) or _EMPTY_TIMES
