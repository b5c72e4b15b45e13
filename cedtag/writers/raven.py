"""Raven: a selection table, of one sound file or of many opened together."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cedtag.records import SAMPLE_RATE_HZ, FileEnd, FileFailed
from cedtag.writers.segments import Segment, SegmentWriter, SingleRecording, plain, six_decimals

if TYPE_CHECKING:
    from cedtag.records import Result, Source
    from cedtag.writers.run_info import RunInfo

COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin Path",
    "File Offset (s)",
    "Label",
    "Score",
)


class RavenWriter(SegmentWriter):
    """Times run on over the recordings, as Raven lines them up; the offset is that in the recording itself."""

    header = "\t".join(COLUMNS) + "\n"
    has_channels = True

    needs_ends = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        super().__init__(out, run)
        self._selection = 0
        self._before = 0  # samples of the recordings before this one
        # Their lengths are not known where they were read up to a time only.
        self._only = SingleRecording() if "to_s" in run.settings else None

    def write(self, result: Result) -> None:
        if self._only is not None and not isinstance(result, FileFailed):
            self._only.check(result.source)
        super().write(result)
        if isinstance(result, FileEnd):
            self._before += result.num_samples

    def line(self, source: Source, segment: Segment) -> str:
        self._selection += 1
        fields = (
            str(self._selection),
            "Spectrogram 1",
            str(segment.channel or 1),
            six_decimals(self._before + segment.start),
            six_decimals(self._before + segment.stop),
            "0",
            str(SAMPLE_RATE_HZ // 2),
            plain(source.name),
            six_decimals(segment.start),
            plain(segment.label),
            f"{segment.score:.4f}",
        )
        return "\t".join(fields) + "\n"
