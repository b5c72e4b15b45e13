"""What became of a run: counts that add up."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cedtag.records import SAMPLE_RATE_HZ, AlreadyDone, FileEnd, FileFailed, Skipped, TimedSource
from cedtag.system.atomic import writing, writing_whole

if TYPE_CHECKING:
    from cedtag.records import Outcome
    from cedtag.writers.run_info import RunInfo


@dataclass(slots=True)
class Summary:
    """Counts of recordings; found = done + partial + failed + skipped.

    `skipped` holds what is no recording and what an earlier run has done; what failed then counts as failed again.
    `incomplete` counts those of the skipped that an earlier run has scored in part, `failed_earlier` those of failed
    that were not tried again, `untimed` those of done and partial whose start time is not known. Of a recording, what
    comes before sample `part_start` is not scored.
    """

    done: int = 0
    partial: int = 0
    failed: int = 0
    skipped: int = 0
    already_done: int = 0
    incomplete: int = 0
    failed_earlier: int = 0
    windows: int = 0
    num_samples: int = 0
    untimed: int = 0
    part_start: int = 0
    started: float = field(default_factory=time.monotonic)

    def count(self, event: Outcome) -> None:
        if isinstance(event, FileEnd):
            self.done += event.status == "ok"
            self.partial += event.status == "partial"
            self.untimed += not isinstance(event.source, TimedSource)
            self.windows += event.num_windows
            self.num_samples += max(0, event.num_samples - self.part_start)
        elif isinstance(event, FileFailed):
            self.failed += 1
        elif isinstance(event, Skipped):
            self.skipped += 1
        elif isinstance(event, AlreadyDone):
            self.failed += event.status == "failed"
            self.failed_earlier += event.status == "failed"
            self.skipped += event.status != "failed"
            self.already_done += event.status != "failed"
            self.incomplete += event.status == "partial"

    @property
    def found(self) -> int:
        return self.done + self.partial + self.failed + self.skipped

    @property
    def recordings(self) -> int:
        """All that were meant to be scored, now or earlier."""
        return self.done + self.partial + self.failed + self.already_done

    @property
    def all_complete(self) -> bool:
        """Whether every recording was scored from its beginning to its end."""
        return not (self.partial or self.failed or self.incomplete)

    @property
    def audio_s(self) -> float:
        return self.num_samples / SAMPLE_RATE_HZ

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def speed(self) -> float:
        """Seconds of audio per second."""
        return self.audio_s / max(self.elapsed_s, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        return {
            "found": self.found,
            "done": self.done,
            "partial": self.partial,
            "failed": self.failed,
            "skipped": self.skipped,
            "already_done": self.already_done,
            "windows": self.windows,
            "audio_hours": round(self.audio_s / 3600, 4),
            "elapsed_s": round(self.elapsed_s, 3),
            "speed": round(self.speed, 2),
        }

    def outcomes(self) -> str:
        """How recordings ended, for people: every count that is not zero."""
        counts = {
            "done": self.done,
            "partial": self.partial,
            "failed": self.failed - self.failed_earlier,
            "done earlier": self.already_done - self.incomplete,
            "partial earlier": self.incomplete,
            "failed earlier": self.failed_earlier,
            "skipped": self.skipped - self.already_done,
        }
        (first, name), *rest = [(count, name) for name, count in counts.items() if count] or [(0, "done")]
        said = f"{first:,} recording{'' if first == 1 else 's'} {name}"
        return said + "".join(f", {count:,} {name}" for count, name in rest)

    def sentence(self) -> str:
        """The same in one line, with how much was scored just now and how fast that was."""
        said = self.outcomes()
        if self.windows:
            audio, elapsed = duration(self.audio_s), duration(self.elapsed_s)
            windows = f"{self.windows:,} window{'' if self.windows == 1 else 's'}"
            said += f"; {windows}, {audio} of audio in {elapsed}, {self.speed:.1f}x realtime"
        elif self.found and self.already_done + self.failed_earlier == self.found:
            said += "; nothing was left to do"
        return said


def duration(seconds: float) -> str:
    """`3.2 s`, `4 min 05 s` or `26 h 03 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def write_summary(file: str | None, summary: Summary, run: RunInfo) -> None:
    """Write the counts and the settings of a run as JSON, if a file is named for them."""
    if not file:
        return
    path = Path(file)
    with writing(path), writing_whole(path) as out:
        out.write(json.dumps(summary.to_dict() | run.to_dict(), indent=1).encode() + b"\n")
