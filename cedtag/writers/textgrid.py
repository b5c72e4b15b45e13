"""Praat's TextGrid: an interval tier for each class that occurs."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cedtag.records import FileEnd, FileFailed
from cedtag.writers.segments import Segment, SingleRecording, encoded, segments, six_decimals, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class TextGridWriter:
    """The text of an interval is the score; intervals tile the recording, so an earlier one ends where a later begins.

    Tiers are in the order in which their classes first occur.
    """

    one_recording = needs_ends = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out = out
        self._tiers: dict[str, list[Segment]] = {}
        self._only = SingleRecording()

    def write(self, result: Result) -> None:
        if isinstance(result, FileFailed):
            return
        self._only.check(result.source)
        for segment in segments(result):
            self._tiers.setdefault(segment.label, []).append(segment)
        if isinstance(result, FileEnd):
            tiers = self._tiers or {"(nothing)": []}
            self._out.write(encoded("".join(text_grid(tiers, whole(result.num_samples)))))

    def close(self) -> None:
        """The end of the recording wrote it all."""


def text_grid(tiers: dict[str, list[Segment]], num_samples: int) -> Iterator[str]:
    """The file, in Praat's long format."""
    end = six_decimals(num_samples)
    yield 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    yield f"xmin = 0\nxmax = {end}\ntiers? <exists>\nsize = {len(tiers)}\nitem []:\n"
    for number, (label, segments_of) in enumerate(tiers.items(), 1):
        intervals = list(tiled(segments_of, num_samples))
        yield f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{quoted(label)}"\n'
        yield f"        xmin = 0\n        xmax = {end}\n        intervals: size = {len(intervals)}\n"
        for place, (start, stop, text) in enumerate(intervals, 1):
            yield f"        intervals [{place}]:\n            xmin = {six_decimals(start)}\n"
            yield f'            xmax = {six_decimals(stop)}\n            text = "{text}"\n'


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


def quoted(text: str) -> str:
    return text.replace('"', '""')
