"""DCASE: the table of events that DCASE's tools, sed_eval and psds_eval read, and the table of durations beside it."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from cedtag.records import FileEnd, seconds
from cedtag.writers.segments import Segment, SegmentWriter, encoded, six_decimals
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from cedtag.records import Result, Source
    from cedtag.writers.run_info import RunInfo


class DcaseWriter(SegmentWriter):
    """Tab-separated `filename, onset, offset, event_label`."""

    header = "filename\tonset\toffset\tevent_label\n"

    def line(self, source: Source, segment: Segment) -> str:
        return tab_separated(source.name, six_decimals(segment.start), six_decimals(segment.stop), segment.label)


class PsdsWriter:
    """Tab-separated `filename, duration`: the durations that psds_eval needs beside the events of `dcase`."""

    needs_ends = True

    has_channels = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out = out
        out.write(b"filename\tduration\n")

    def write(self, result: Result) -> None:
        if isinstance(result, FileEnd):
            self._out.write(encoded(tab_separated(result.source.name, f"{seconds(result.num_samples):.3f}")))

    def close(self) -> None:
        """Nothing stands at the end."""


def tab_separated(*fields: str) -> str:
    text = io.StringIO()
    RowWriter(text, "\t").writerow(fields)
    return text.getvalue()
