"""Which labelled recordings are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataSettings:
    """Which labelled recordings are used: those of `folds`, or all.

    With `keep_going` recordings that cannot be decoded and clips that are cut are left out; else the first is an error.

    The files of a manifest and the clips of a segment list lie below `audio`, those of a manifest otherwise beside it.
    """

    audio: Path | None = None
    folds: tuple[str, ...] = ()
    keep_going: bool = True
