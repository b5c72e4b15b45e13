"""Praat's TextGrid: an interval tier for each class that occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.writers.segments import encoded, six_decimals, whole
from cedtag.writers.tiers import Tiers, TierWriter, tiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.records import FileEnd


class TextGridWriter(TierWriter):
    """The text of an interval is the score; intervals tile the recording, and end where a later one begins."""

    def document(self, tiers: Tiers, end: FileEnd) -> bytes:
        """The file in UTF-8; Praat wants at least one tier."""
        return encoded("".join(text_grid(tiers or {"(nothing)": []}, whole(end.num_samples))))


def text_grid(tiers: Tiers, num_samples: int) -> Iterator[str]:
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


def quoted(text: str) -> str:
    return text.replace('"', '""')
