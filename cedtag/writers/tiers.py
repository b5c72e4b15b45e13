"""Files with a tier for each class that occurs in a recording."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cedtag.records import FileEnd, FileFailed
from cedtag.writers.segments import Segment, SingleRecording, segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo

Tiers = dict[str, list[Segment]]


class TierWriter:
    """The tiers of one recording, in the order in which their classes first occur."""

    one_recording = needs_ends = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out = out
        self._tiers: Tiers = {}
        self._only = SingleRecording()

    def write(self, result: Result) -> None:
        if isinstance(result, FileFailed):
            return
        self._only.check(result.source)
        for segment in segments(result):
            self._tiers.setdefault(segment.label, []).append(segment)
        if isinstance(result, FileEnd):
            self._out.write(self.document(self._tiers, result))

    def close(self) -> None:
        """The end of the recording wrote it all."""

    def document(self, tiers: Tiers, end: FileEnd) -> bytes:
        """The whole file."""
        raise NotImplementedError


def tiled(found: Sequence[Segment], num_samples: int) -> Iterator[tuple[int, int, str]]:
    """Start, stop and text of intervals from 0 to the end, with empty ones between the segments."""
    found = sorted(found, key=lambda segment: segment.start)
    at = 0
    for place, segment in enumerate(found):
        following = found[place + 1].start if place + 1 < len(found) else num_samples
        start, stop = max(at, segment.start), min(segment.stop, following, num_samples)
        if start >= stop:
            continue
        if at < start:
            yield at, start, ""
        yield start, stop, f"{segment.score:.2f}"
        at = stop
    if at < num_samples:
        yield at, num_samples, ""
