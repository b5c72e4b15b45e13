"""What flows from a recording to its rows. Time is integer samples at 16 kHz throughout."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
# Samples beyond this are no audio in any scale: integers of 32 bits reach 2^31. Up to it, nothing on the way to a score
# overflows in float32 (a spectrum of 512 such samples has a power of 5e24).
LARGEST_SAMPLE = float(1 << 32)
LONGEST_S = 1e6  # of every setting in seconds: 11 days, which every clock and every wait of the system can count
NOTE = "scored "  # start of warnings that only tell what was scored: a channel, a track, silence
MIX, EACH = "mix", "each"  # the mean of all channels, and every channel by itself
STATUSES = ("ok", "partial", "failed")  # how a recording can end
MISSING = "missing"  # the stage of failures for a package that is not installed: tried again by itself
# Of failures whose cause can pass: another try may succeed, after a bug with another version of cedtag.
PASSING_STAGES = ("read", "crash", "timeout", "bug", MISSING)
STALE = "the file has changed since, and cannot be read now"  # how the problem of results begins that are out of date


def seconds(sample: int) -> float:
    """The position of a sample in seconds, cut to milliseconds, so that no time is after the recording's end."""
    return sample // SAMPLES_PER_MS / 1000


@dataclass(frozen=True, slots=True)
class Source:
    """One recording to be scored.

    `path` is opened; `name` is what the user reads (the path as typed, joined with what was found below it);
    `relative` is the path below `root`, with `/`. Bytes that are not UTF-8 are surrogates, as `os.fsdecode` makes them.
    `at` is the absolute path, the same for every spelling: the real path of the folder, and the name of the file in it.
    It is empty where there is none (standard input) or where it is not known.
    """

    path: str
    name: str
    relative: str
    root: str = ""
    size: int = 0
    mtime_ns: int = 0
    at: str = field(default="", compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class TimedSource(Source):
    """A recording whose start time is known: `began`, in ISO 8601 with its offset from UTC.

    `notes` are warnings about that time; `FileEnd.warnings` shows them.
    """

    began: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive samples `(n,)` float32 of one recording, from sample `start`; the `index`-th window of it.

    Where every channel is scored by itself, `channel` counts from 1; else it is 0.
    """

    source: Source
    index: int
    start: int
    samples: NDArray[np.float32]
    channel: int = 0

    @property
    def stop(self) -> int:
        return self.start + len(self.samples)


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """The class probabilities `(classes,)` float32 in [0, 1] of one window.

    Where a run was asked for them, `embedding` `(dim,)` is the mean of its last hidden states, and `columns` `(columns,
    classes)` are the probabilities of its columns of tokens, one time step each.
    """

    source: Source
    index: int
    start: int
    stop: int
    probabilities: NDArray[np.float32]
    channel: int = 0
    embedding: NDArray[np.float32] | None = field(default=None, kw_only=True)
    columns: NDArray[np.float32] | None = field(default=None, kw_only=True)

    @property
    def is_finite(self) -> bool:
        """Whether all probabilities are numbers: their sum is NaN if one of them is."""
        of_columns = 0.0 if self.columns is None else float(self.columns.sum())
        return math.isfinite(float(self.probabilities.sum()) + of_columns)

    def to_dict(self) -> dict[str, Any]:
        """The window in seconds, and the probability of each class in model order."""
        return {**_place(self), "probabilities": self.probabilities.tolist()}


@dataclass(frozen=True, slots=True)
class Tag:
    """One class with its score; `score` is a probability rounded to the four decimals that every format shows."""

    index: int
    mid: str
    label: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """The tag under the names of its columns."""
        return {"index": self.index, "mid": self.mid, "label": self.label, "score": self.score}


@dataclass(frozen=True, slots=True)
class TagResult:
    """The tags of samples `start` to `stop` of one recording, best first."""

    source: Source
    index: int
    start: int
    stop: int
    tags: tuple[Tag, ...]
    channel: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The window in seconds, and its tags."""
        return {**_place(self), "tags": [tag.to_dict() for tag in self.tags]}


@dataclass(frozen=True, slots=True)
class SoundEvent:
    """One class from sample `start` to sample `stop`, with the best and the mean score of that time."""

    source: Source
    start: int
    stop: int
    index: int
    mid: str
    label: str
    peak: float
    mean: float
    channel: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The event in seconds."""
        what = {"index": self.index, "mid": self.mid, "label": self.label}
        return {**_place(self), **what, "peak": self.peak, "mean": self.mean}


@dataclass(frozen=True, slots=True)
class FileEnd:
    """A recording was scored to its end. `problems` name what of it is missing or altered; `warnings` only inform.

    `cause` is one of `PASSING_STAGES` where the recording was cut short by a cause that can pass: an error of the disk,
    a decoder that was killed or crashed, a time limit, a bug. It is empty where the file itself is damaged.
    `traceback` is that of a bug.
    """

    source: Source
    num_samples: int
    num_windows: int
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    cause: str = ""
    traceback: str = ""

    @property
    def status(self) -> str:
        return "partial" if self.problems else "ok"

    @property
    def is_stale(self) -> bool:
        """Whether these are results of an earlier state of the file, which cannot be read any more."""
        return any(problem.startswith(STALE) for problem in self.problems)

    def to_dict(self) -> dict[str, Any]:
        """The outcome, with the length of the recording in seconds."""
        return {
            "file": self.source.name,
            "status": self.status,
            "duration": seconds(self.num_samples),
            "problems": list(self.problems),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class FileFailed:
    """A recording gave no row at all.

    `stage` is where it failed: "open", "missing" (a package that is not installed), "read" (an error of the disk),
    "decode", "crash" (of the decoder), "timeout", "score", "output" or "bug", which has a `traceback`.
    """

    source: Source
    stage: str
    error: str
    traceback: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The outcome, with its reason."""
        return {"file": self.source.name, "status": "failed", "stage": self.stage, "error": self.error}


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something found that is no recording: a device, a FIFO, a folder that cannot be listed."""

    source: Source
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The outcome, with its reason."""
        return {"file": self.source.name, "status": "skipped", "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Repeated(Skipped):
    """A recording that was found before in the same run, under this name or another."""


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """A recording whose outcome an earlier run has written down: "ok", "partial" or "failed"."""

    source: Source
    status: str

    def to_dict(self) -> dict[str, Any]:
        """The outcome of the earlier run."""
        return {"file": self.source.name, "status": self.status}


def _place(piece: ScoredWindow | TagResult | SoundEvent) -> dict[str, Any]:
    place = {"file": piece.source.name, "start": seconds(piece.start), "end": seconds(piece.stop)}
    return place | {"channel": piece.channel} if piece.channel else place


Listed: TypeAlias = Source | FileFailed | Skipped | AlreadyDone  # what a search finds, and what is left to do
Outcome: TypeAlias = ScoredWindow | FileEnd | FileFailed | Skipped | AlreadyDone  # what an engine yields
Result: TypeAlias = TagResult | SoundEvent | FileEnd | FileFailed  # what is written, and read back
