"""EDL (CMX3600): markers for a timeline in DaVinci Resolve."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from cedtag.records import SoundEvent, TagResult
from cedtag.writers.segments import Segment, SingleRecording, encoded, percent_escaped, segments
from cedtag.writers.timecode import frame_at, frames_of_an_hour, is_drop_frame, timecode

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo

HOURS_BEFORE = 1  # timelines begin at 01:00:00:00
_NOT_IN_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029|]|%(?=[0-9A-F]{2})")


class EdlWriter:
    """A marker for each frame at which windows or events begin, as long as the longest; timelines have one a frame."""

    one_recording = True
    needs = {"frame_rate": "the frames per second of the timeline"}  # noqa: RUF012

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        assert run.frame_rate is not None
        self._out, self._rate = out, run.frame_rate
        self._only = SingleRecording()
        self._num_markers = 0
        self._frame = 0
        self._held: list[Segment] = []  # those that begin at this frame
        kind = "DROP FRAME" if is_drop_frame(self._rate) else "NON-DROP FRAME"
        self._out.write(f"TITLE: cedtag\nFCM: {kind}\n\n".encode())

    def write(self, result: Result) -> None:
        if not isinstance(result, TagResult | SoundEvent):
            return
        self._only.check(result.source)
        for segment in segments(result):
            frame = frame_at(segment.start, self._rate)
            if frame != self._frame:
                self.close()
            self._frame = frame
            self._held.append(segment)

    def close(self) -> None:
        """Write the marker at the last frame."""
        held, self._held = self._held, []
        if not held:
            return
        self._num_markers += 1
        zero = HOURS_BEFORE * frames_of_an_hour(self._rate)
        first, after = (timecode(zero + self._frame + more, self._rate) for more in (0, 1))
        name = ", ".join(percent_escaped(_NOT_IN_NAME, segment.text) for segment in held)
        length = max(1, *(frame_at(segment.stop, self._rate) - self._frame for segment in held))
        self._out.write(
            encoded(
                f"{self._num_markers:03d}  001      V     C        {first} {after} {first} {after}\n"
                f" |C:ResolveColorBlue |M:{name} |D:{length}\n\n"
            )
        )
