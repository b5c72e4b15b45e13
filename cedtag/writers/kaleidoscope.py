"""Kaleidoscope: the table that Wildlife Acoustics' Kaleidoscope opens as results, with a row per detection."""

from __future__ import annotations

import io
import posixpath
from datetime import datetime
from typing import TYPE_CHECKING

from cedtag.records import TimedSource, seconds
from cedtag.writers.segments import Segment, SegmentWriter
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from cedtag.records import Source

COLUMNS = (
    *("INDIR", "FOLDER", "IN FILE", "CHANNEL", "OFFSET", "DURATION", "DATE", "TIME", "HOUR"),
    *("AUTO ID", "SCORE", "MANUAL ID"),
)


class KaleidoscopeWriter(SegmentWriter):
    """INDIR / FOLDER / IN FILE is the recording, CHANNEL counts from 0, and MANUAL ID is left to whoever listens.

    DATE, TIME and HOUR are those at which the recording began, where that is known.
    """

    header = ",".join(COLUMNS) + "\n"
    has_channels = True

    def line(self, source: Source, segment: Segment) -> str:
        path, file = posixpath.split(source.name)
        indir, folder = posixpath.split(path)
        text = io.StringIO()
        RowWriter(text).writerow(
            (
                indir,
                folder,
                file,
                max(segment.channel - 1, 0),
                f"{seconds(segment.start):.3f}",
                f"{seconds(segment.stop - segment.start):.3f}",
                *_clock(source),
                segment.label,
                f"{segment.score:.4f}",
                "",
            )
        )
        return text.getvalue()


def _clock(source: Source) -> tuple[str, str, str]:
    """Date, time and hour, as Kaleidoscope writes them."""
    if not isinstance(source, TimedSource):
        return "", "", ""
    began = datetime.fromisoformat(source.began)
    return f"{began:%Y-%m-%d}", f"{began:%H:%M:%S}", f"{began:%H}"
