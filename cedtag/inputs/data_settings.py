"""Which labelled recordings are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataSettings:
    """Which labelled recordings are used: those of `folds`, or all.

    The files of a manifest and the clips of a segment list lie below `audio`, those of a manifest otherwise beside it.
    """

    audio: Path | None = None
    folds: tuple[str, ...] = ()
