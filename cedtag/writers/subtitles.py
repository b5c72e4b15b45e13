"""Subtitles in SubRip and WebVTT: tags or events, shown by any video player at their time."""

from __future__ import annotations

import re
from html import escape
from typing import IO, TYPE_CHECKING

from cedtag.records import SoundEvent, TagResult
from cedtag.writers.segments import SingleRecording, encoded, percent_escaped, segments

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


# What ends a line or begins a cue for any reader of these formats, and what a terminal or a player takes for a command.
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|-->|%(?=[0-9A-F]{2})")


class SrtWriter:
    """A numbered cue for each window that has tags, a line for each tag; or a cue for each event."""

    one_recording = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out = out
        self._cues = 0
        self._only = SingleRecording()

    def write(self, result: Result) -> None:
        if not isinstance(result, TagResult | SoundEvent):
            return
        self._only.check(result.source)
        if lines := [percent_escaped(_NO_TEXT, segment.text) for segment in segments(result)]:
            self._cues += 1
            self._out.write(encoded(self.cue(self._cues, result.start, result.stop, lines)))

    def cue(self, number: int, start: int, stop: int, lines: list[str]) -> str:
        return "\n".join([str(number), f"{subtitle_time(start, ',')} --> {subtitle_time(stop, ',')}", *lines, "", ""])

    def close(self) -> None:
        """Nothing stands at the end."""


class VttWriter(SrtWriter):
    """The same for the web."""

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        super().__init__(out, run)
        out.write(b"WEBVTT\n\n")

    def cue(self, number: int, start: int, stop: int, lines: list[str]) -> str:
        texts = [escape(line, quote=False) for line in lines]
        return "\n".join([f"{subtitle_time(start, '.')} --> {subtitle_time(stop, '.')}", *texts, "", ""])


def subtitle_time(sample: int, point: str) -> str:
    """`HH:MM:SS`, the point, and milliseconds, cut."""
    milliseconds = sample // 16  # 16 samples are one at 16 kHz
    seconds = milliseconds // 1000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{milliseconds % 1000:03d}"
