"""What is looked for in a store, and where its model is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("csv", "tsv", "json", "jsonl")  # of rows
MOST = 100_000  # windows that are ranked


@dataclass(frozen=True, slots=True)
class SimilarSettings:
    """How many windows are found, of every recording one alone with `diverse`, and what they must not sound like.

    `unlike` are examples, too: a window that is nearer to one of them is left out.
    """

    num_best: int = 20
    diverse: bool = False
    unlike: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.num_best <= MOST:
            raise InputError(f"`num_best` {self.num_best}: expected a whole number from 1 to {MOST}")


@dataclass(frozen=True, slots=True)
class StoreModel:
    """Where the model of a store is now: `base`, or what the store calls it. For the others see `ModelChoice`."""

    base: str | None = None
    offline: bool = False
    cache_dir: Path | None = None
