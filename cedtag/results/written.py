"""A file of results, and which facts it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cedtag.labels.table import Label
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class WrittenResults:
    """A file of results, which can be read any number of times by calling `results`.

    `run` holds settings and classes, where the file has them. `has_ends` is whether it holds how each recording ended
    and how long it is; otherwise no FileEnd comes. `has_windows` is whether it holds windows without tags, too;
    `has_classes`, whether index and MID of its classes are known; `has_all_scores`, whether its rows were chosen from
    all scores, as those of a store are. What is missing is never invented.
    """

    path: Path
    run: RunInfo | None
    results: Callable[[], Iterator[Result]]
    has_ends: bool = True
    has_windows: bool = True
    has_classes: bool = True
    has_all_scores: bool = False

    def require_ends(self, purpose: str) -> None:
        """InputError where it is not known how long recordings are and how they ended."""
        if not self.has_ends:
            raise InputError(
                f"{self.path}: does not hold how long its recordings are and how they ended, which {purpose} needs; "
                "use json, jsonl or the journal of the run, or keep that journal beside this file"
            )

    def require_classes(self, purpose: str) -> None:
        """InputError where index and MID of classes are not known."""
        if not self.has_classes:
            raise InputError(
                f"{self.path}: holds names of classes without index and MID, which {purpose} needs; use json, jsonl or "
                "the journal of the run, or keep that journal beside this file"
            )

    @property
    def labels(self) -> tuple[Label, ...] | None:
        """All classes that could occur, in the order of the model; None where the file does not hold them."""
        return self.run.labels or None if self.run is not None else None
