"""RTTM: NIST's rich transcription time marks, which diarisation tools read."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from cedtag.writers.segments import Segment, SegmentWriter, percent_escaped, six_decimals

if TYPE_CHECKING:
    from cedtag.records import Source
    from cedtag.writers.run_info import RunInfo

_BLANK = re.compile(r"\s")
_UNSAFE = re.compile(r"\s|%(?=[0-9A-F]{2})")
_LIKE_AN_ESCAPE = re.compile(r"%(?=[0-9A-F]{2})")
_UNSAFE_OR_UNDERSCORE = re.compile(r"[\s_]|%(?=[0-9A-F]{2})")


class RttmWriter(SegmentWriter):
    """`SPEAKER file 1 onset duration <NA> <NA> class score <NA>`.

    Blanks inside the name of a recording are written as in URLs, `%20`; those inside the name of a class become `_`,
    unless another class has that name already.
    """

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        super().__init__(out, run)
        self._classes: dict[str, str] = {}  # what stands in the file -> the class

    has_channels = True

    def line(self, source: Source, segment: Segment) -> str:
        onset, duration = six_decimals(segment.start), six_decimals(segment.stop - segment.start)
        file, label = percent_escaped(_UNSAFE, source.name), self._label(segment.label)
        return f"SPEAKER {file} {segment.channel or 1} {onset} {duration} <NA> <NA> {label} {segment.score:.4f} <NA>\n"

    def _label(self, name: str) -> str:
        """The name of a class without blanks, and different from that of any other class in the file."""
        short = _BLANK.sub("_", percent_escaped(_LIKE_AN_ESCAPE, name))
        if self._classes.setdefault(short, name) == name:
            return short
        escaped = percent_escaped(_UNSAFE_OR_UNDERSCORE, name)
        self._classes[escaped] = name
        return escaped
