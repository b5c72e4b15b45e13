"""What is learned, and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cedtag.errors import InputError

MOST_SUGGESTED = 1000


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """Which class is learned, and what comes of it.

    The class has the `name` of the folder, if none is given. The new model has the classes of the old one, too, unless
    `only` the new one is wanted. `suggest` windows that would teach it most are cut out of their recordings, whose
    paths begin at `root`.
    """

    folder: Path
    name: str | None = None
    only: bool = False
    suggest: int = 0
    root: Path = Path()
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.suggest <= MOST_SUGGESTED:
            raise InputError(f"`suggest` {self.suggest}: expected a number of windows from 0 to {MOST_SUGGESTED}")

    @property
    def class_name(self) -> str:
        """The name of the class."""
        return self.name if self.name is not None else self.folder.absolute().name
