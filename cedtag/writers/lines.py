"""JSON lines: one object per window or event, for pipelines."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

from cedtag.records import SoundEvent, TagResult
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS
from cedtag.writers.clock_columns import clock_times, shows_clock

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class JsonLinesWriter:
    """A head with settings and classes; the windows or events of a recording; its outcome; the next recording.

    ASCII JSON; bytes of a name that are not UTF-8 are lone surrogates, which JSON carries. The head is left out where
    neither settings nor outcomes are known.
    """

    needs_classes = True

    has_channels = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out, self._has_clock = out, shows_clock(run)
        if run.labels:
            self._out.write(encode(run.head()) + b"\n")

    def write(self, result: Result) -> None:
        if isinstance(result, TagResult | SoundEvent):
            row = result_to_json(result, has_clock=self._has_clock)
        else:
            row = result.to_dict()
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
