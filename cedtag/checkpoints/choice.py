"""Which checkpoint is wanted, and where it may come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which checkpoint is wanted: see `locate.resolve`. When `offline`, nothing but the cache is looked at."""

    model: str = "ced-tiny"
    offline: bool = False
    cache_dir: Path | None = None
