"""Which clips are cut out of recordings, and how they are named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cedtag.errors import InputError
from cedtag.records import LONGEST_S

NAME = "{label}/{number:03d}_{score:.2f}_{name}_{start:.3f}"


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """Which clips go to `folder`, and how they are named.

    Of each class, or of those in `labels`, the `max_per_class` best (0: all), with `pad_s` seconds more on both sides.
    `name` is a template with the fields label, mid, index, number, score, name, start and end. The paths in results
    begin at `root`. Of recordings with several sound tracks, `track` (a number from 1 or a language) is cut.
    """

    folder: Path
    audio_format: str = "wav"
    name: str = NAME
    labels: tuple[str, ...] = ()
    max_per_class: int = 10
    pad_s: float = 0.0
    root: Path = Path()
    overwrite: bool = False
    track: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.pad_s <= LONGEST_S:
            raise InputError(f"`pad_s` {self.pad_s:g}: expected seconds from 0 to {LONGEST_S:g}")
        if self.max_per_class < 0:
            raise InputError(f"`max_per_class` {self.max_per_class}: expected a number of clips, or 0 for all")
