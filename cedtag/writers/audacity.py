"""Audacity: a label track, imported with File > Import > Labels."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cedtag.writers.segments import Segment, SegmentWriter, SingleRecording, plain, six_decimals

if TYPE_CHECKING:
    from cedtag.records import Source
    from cedtag.writers.run_info import RunInfo


class AudacityWriter(SegmentWriter):
    """`start<TAB>end<TAB>Speech 0.93`, no header, one file per recording."""

    one_recording = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        super().__init__(out, run)
        self._only = SingleRecording()

    def line(self, source: Source, segment: Segment) -> str:
        self._only.check(source)
        return f"{six_decimals(segment.start)}\t{six_decimals(segment.stop)}\t{plain(segment.text)}\n"
