"""What is stored of which clips, and what computes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.inputs.data_settings import DataSettings
from cedtag.records import LONGEST_S
from cedtag.run.cluster import Cluster

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_TOP_K = 20
_LARGEST_SEED, _MOST_EPOCHS, _MOST_TOP_K = 2**32 - 1, 10_000, 2**15


@dataclass(frozen=True, slots=True)
class TeacherChoice:
    """The names of the teachers, as `ModelChoice` has one; folders of convolutional teachers, too."""

    models: tuple[str, ...] = ()
    offline: bool = False
    cache_dir: Path | None = None

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError("no teacher is named; name one with `models`, or several")


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """The views that are stored: of each clip one for each of `epochs`, drawn with `seed`.

    Of every view the `top_k` best classes are kept, by None 20, or all of fewer. Recordings, and longer clips of a
    manifest, are cut into clips of `chunk_s` seconds.
    """

    epochs: int = 10
    top_k: int | None = None
    chunk_s: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most, least in (("epochs", _MOST_EPOCHS, 1), ("top_k", _MOST_TOP_K, 1), ("seed", _LARGEST_SEED, 0)):
            number = getattr(self, name)
            if number is not None and not least <= number <= most:
                raise InputError(f"`{name}` {number}: expected a whole number from {least} to {most}")
        if not 0 < self.chunk_s <= LONGEST_S:
            raise InputError(f"`chunk_s` {self.chunk_s:g}: expected seconds, more than 0 and up to {LONGEST_S:g}")


@dataclass(frozen=True, slots=True)
class DistillStoreCompute:
    """What computes: `device` and `precision` as in `Compute`; `threads` ask the teachers, while `jobs` decode.

    None takes what suits the machine. On a CPU neither number changes a bit of what is stored.
    """

    device: str = "auto"
    precision: str = "auto"
    jobs: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in ("jobs", "threads"):
            number = getattr(self, name)
            if number is not None and not 1 <= number <= 1024:
                raise InputError(f"`{name}` {number}: expected a whole number from 1 to 1024")


@dataclass(frozen=True, slots=True)
class PartChoice:
    """Which parts of a store are made: of a `shard` (i, n) every n-th, from the i-th on; None makes all.

    Those that are there are left as they are, but with `retry_failed` parts in which a recording failed are made again.
    """

    shard: tuple[int, int] | None = None
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise InputError(f"`shard` {self.shard}: expected (i, n) with i from 1 to n")


@dataclass(frozen=True, slots=True)
class DistillStoreSettings:
    """All settings of a store besides its data, its teachers and its folder."""

    selection: DataSettings = field(default_factory=DataSettings)
    views: ViewSettings = field(default_factory=ViewSettings)
    parts: PartChoice = field(default_factory=PartChoice)
    compute: DistillStoreCompute = field(default_factory=DistillStoreCompute)
    cluster: Cluster = field(default_factory=Cluster)
