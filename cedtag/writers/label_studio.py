"""Label Studio: a task per recording, with what was found as predictions to be corrected."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from cedtag.records import FileEnd, FileFailed, seconds
from cedtag.writers import storable
from cedtag.writers.lines import encode
from cedtag.writers.segments import Segment, segments

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo

FROM_NAME, TO_NAME = "label", "audio"  # the names in Label Studio's own templates for audio
_LOCAL_FILES = "/data/local-files/?d="


class LabelStudioWriter:
    """A list of tasks, a line each: the address of the recording, and a region per tag of a window, or per event.

    Recordings that failed have no task.
    """

    needs_ends = has_channels = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out, self._model = out, run.settings.get("model")
        self._regions: list[dict[str, Any]] = []
        self._separator = b"[\n"

    def write(self, result: Result) -> None:
        if isinstance(result, FileEnd):
            self._out.write(self._separator + encode(self._task(result)))
            self._separator, self._regions = b",\n", []
        elif not isinstance(result, FileFailed):
            self._regions += [_region(segment) for segment in segments(result)]

    def close(self) -> None:
        self._out.write(b"\n]\n" if self._separator == b",\n" else b"[]\n")

    def _task(self, end: FileEnd) -> dict[str, Any]:
        length = seconds(end.num_samples)
        regions = [{"id": f"{number}", **region} for number, region in enumerate(self._regions, 1)]
        prediction: dict[str, Any] = {"model_version": self._model} if self._model else {}
        prediction["score"] = max((region["score"] for region in regions), default=0.0)
        prediction["result"] = [{**region, "original_length": length} for region in regions]
        place = quote(os.fsencode(end.source.name.lstrip("/")))
        return {"data": {TO_NAME: _LOCAL_FILES + place}, "predictions": [prediction]}


def _region(segment: Segment) -> dict[str, Any]:
    return {
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "type": "labels",
        "value": {
            "start": seconds(segment.start),
            "end": seconds(segment.stop),
            "channel": max(segment.channel - 1, 0),
            "labels": [storable(segment.label)],
        },
        "score": segment.score,
    }
