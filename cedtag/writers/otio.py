"""OpenTimelineIO: a timeline with the recording as a clip, and markers, for Premiere, Resolve and others."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

from cedtag.records import FileEnd, FileFailed
from cedtag.writers import storable
from cedtag.writers.lines import encode
from cedtag.writers.media import media_url
from cedtag.writers.segments import Segment, SingleRecording, segments
from cedtag.writers.timecode import FRAME_RATES, frame_at

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class OtioWriter:
    """A marker on the timeline for each tag of a window, or each event."""

    one_recording = needs_ends = True
    needs = {"frame_rate": "the frames per second of the timeline"}  # noqa: RUF012

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        assert run.frame_rate is not None
        self._out, self._rate = out, run.frame_rate
        self._only = SingleRecording()
        self._markers: list[dict[str, Any]] = []

    def write(self, result: Result) -> None:
        if isinstance(result, FileFailed):
            return
        self._only.check(result.source)
        self._markers += [self._marker(segment) for segment in segments(result)]
        if isinstance(result, FileEnd):
            self._out.write(encode(self._timeline(result)) + b"\n")

    def close(self) -> None:
        """The end of the recording wrote it all."""

    def _timeline(self, end: FileEnd) -> dict[str, Any]:
        name = storable(os.path.basename(end.source.name))  # noqa: PTH119 -- pathlib takes no name that is empty
        length = self._range(0, end.num_samples)
        media = _object("ExternalReference.1", available_range=length, target_url=media_url(end.source.name))
        clip = _object(
            "Clip.2",
            name,
            source_range=length,
            media_references={"DEFAULT_MEDIA": media},
            active_media_reference_key="DEFAULT_MEDIA",
        )
        track = _object("Track.1", "Audio", kind="Audio", children=[clip])
        stack = _object("Stack.1", "tracks", children=[track], markers=self._markers)
        return _object("Timeline.1", name, tracks=stack)

    def _marker(self, segment: Segment) -> dict[str, Any]:
        return _object(
            "Marker.2",
            storable(segment.text),
            {"cedtag": {"label": storable(segment.label), "score": segment.score}},
            color="GREEN",
            marked_range=self._range(segment.start, segment.stop),
        )

    def _range(self, start: int, stop: int) -> dict[str, Any]:
        first, last = frame_at(start, self._rate), frame_at(stop, self._rate)
        rate = float(FRAME_RATES[self._rate])

        def time(frames: int) -> dict[str, Any]:
            return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": float(frames)}

        return {"OTIO_SCHEMA": "TimeRange.1", "duration": time(last - first), "start_time": time(first)}


def _object(schema: str, name: str = "", metadata: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    return {"OTIO_SCHEMA": schema, "name": name, "metadata": metadata or {}, **parts}
