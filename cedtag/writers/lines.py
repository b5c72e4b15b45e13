"""JSON lines: one object per window or event, for pipelines."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

from cedtag.records import SoundEvent, TagResult
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS
from cedtag.writers.clock_columns import clock_times, shows_clock
from cedtag.writers.per_recording import Totals, is_per_recording

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class JsonLinesWriter:
    """A head with settings and classes; the windows or events of a recording; its outcome; the next recording.

    ASCII JSON; bytes of a name that are not UTF-8 are lone surrogates, which JSON carries. The head is left out where
    neither settings nor outcomes are known. With the layout `file` there are outcomes alone, with their classes.
    """

    needs_classes = has_channels = has_file_layout = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out, self._has_clock = out, shows_clock(run)
        self._totals = Totals(run) if is_per_recording(run) else None
        if run.labels:
            self._out.write(encode(run.head()) + b"\n")

    def write(self, result: Result) -> None:
        if isinstance(result, TagResult | SoundEvent):
            if self._totals is not None:
                self._totals.add(result)
                return
            row = result_to_json(result, has_clock=self._has_clock)
        else:
            row = result.to_dict() if self._totals is None else self._totals.to_json(result)
        self._out.write(encode(row) + b"\n")

    def close(self) -> None:
        """Nothing stands at the end."""


def result_to_json(result: TagResult | SoundEvent, *, has_clock: bool) -> dict[str, Any]:
    """The result, with the time on the clock after its place in the recording."""
    file, start, end, *rest = result.to_dict().items()
    clock = zip(CLOCK_COLUMNS, clock_times(result) or (None, None), strict=True) if has_clock else ()
    return dict([file, start, end, *clock, *rest])


def encode(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(", ", ": ")).encode()
