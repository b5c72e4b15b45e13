"""The settings of an evaluation, and where its report goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.evaluation.report import FORMATS
from cedtag.inputs.window_settings import WINDOW_S
from cedtag.records import LONGEST_S
from cedtag.run.cluster import Cluster

if TYPE_CHECKING:
    from pathlib import Path

MOST_RESAMPLES, MOST_JOBS = 1_000_000, 1024


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How a model or results are evaluated.

    A clip has the highest scores of its windows of `window_s` seconds. Labels that the model does not have are an
    error, or with `skip_unknown` left out. The 95 % intervals come from `resamples` of the clips; 0 gives none.
    Clips of `jobs` recordings are scored at once, by None as many as there are processors, here or by each actor of a
    `cluster`.
    """

    skip_unknown: bool = False
    window_s: float = WINDOW_S
    resamples: int = 1000
    jobs: int | None = None
    cluster: Cluster = field(default_factory=Cluster)

    def __post_init__(self) -> None:
        if not 0 < self.window_s <= LONGEST_S:
            raise InputError(f"`window_s` {self.window_s:g}: expected seconds, more than 0 and up to {LONGEST_S:g}")
        if not 0 <= self.resamples <= MOST_RESAMPLES:
            raise InputError(f"`resamples` {self.resamples}: expected a number from 0 to {MOST_RESAMPLES}")
        if self.jobs is not None and not 1 <= self.jobs <= MOST_JOBS:
            raise InputError(f"`jobs` {self.jobs}: expected a whole number from 1 to {MOST_JOBS}")


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where a report goes, None for nowhere: the measures, thresholds for tagging, and a figure.

    `format` is that of the measures: "table", "csv" or "json", by default the suffix of `measures`, else "table".
    Files that exist are only replaced with `overwrite`.
    """

    measures: Path | None = None
    format: str | None = None
    thresholds: Path | None = None
    plot: Path | None = None
    overwrite: bool = False

    @property
    def format_name(self) -> str:
        """The format of the measures."""
        suffix = self.measures.suffix.lower().removeprefix(".") if self.measures else ""
        return self.format or (suffix if suffix in FORMATS else "table")
