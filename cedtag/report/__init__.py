"""One self-contained page about an archive: its classes, when and where they occur."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cedtag.errors import InputError


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Where the page goes and what it shows.

    Tags below `threshold` are left out, which makes the page smaller. Where results hold no start times, they are
    searched as `start_time` says: "auto", "name", "metadata" or "none". Paths of recordings begin at `root`.
    """

    page: Path
    title: str | None = None
    root: Path = Path()
    threshold: float = 0.0
    start_time: str = "name"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError(f"`threshold` {self.threshold:g}: expected a score from 0 to 1")
