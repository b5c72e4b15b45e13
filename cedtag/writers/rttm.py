"""RTTM: NIST's rich transcription time marks, which diarisation tools read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.writers.segments import Segment, SegmentWriter, six_decimals

if TYPE_CHECKING:
    from cedtag.records import Source


class RttmWriter(SegmentWriter):
    """`SPEAKER file 1 onset duration <NA> <NA> class score <NA>`; blanks inside a name become `_`."""

    def line(self, source: Source, segment: Segment) -> str:
        onset, duration = six_decimals(segment.start), six_decimals(segment.stop - segment.start)
        file, label = without_blanks(source.name), without_blanks(segment.label)
        return f"SPEAKER {file} 1 {onset} {duration} <NA> <NA> {label} {segment.score:.4f} <NA>\n"


def without_blanks(name: str) -> str:
    return re.sub(r"\s", "_", name)
