"""BirdNET: the table of detections that BirdNET-Analyzer writes as csv."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cedtag.records import seconds
from cedtag.writers.segments import Segment, SegmentWriter
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from cedtag.records import Source


class BirdNetWriter(SegmentWriter):
    """AudioSet's classes have no scientific name: both names are the label."""

    header = "Start (s),End (s),Scientific name,Common name,Confidence,File\n"

    def line(self, source: Source, segment: Segment) -> str:
        text = io.StringIO()
        start, stop, score = f"{seconds(segment.start)}", f"{seconds(segment.stop)}", f"{segment.score:.4f}"
        row = (start, stop, segment.label, segment.label, score, source.name)
        RowWriter(text).writerow(row)
        return text.getvalue()
