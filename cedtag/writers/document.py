"""JSON: one document with the run's metadata and every recording with its outcome."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cedtag.records import SoundEvent, TagResult
from cedtag.writers.clock_columns import shows_clock
from cedtag.writers.lines import encode, result_to_json

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class JsonWriter:
    """`{"schema", "version", "settings", "recordings": [{"file", "windows", "status", ...}]}`, a line per window.

    `classes` in the head are those that can appear: `[index, mid, label]`. Events stand in `events` in place of
    `windows`, and another `events` in the head holds how they were made.
    """

    needs_ends = needs_classes = has_channels = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out, self._run = out, run
        self._recordings = 0
        self._rows = 0
        out.write(encode(run.head())[:-1] + b', "recordings": [')

    def write(self, result: Result) -> None:
        if self._rows == 0:
            is_event = isinstance(result, SoundEvent) or self._run.events is not None
            self._out.write(b",\n" if self._recordings else b"\n")
            head = encode({"file": result.source.name, "events" if is_event else "windows": []})
            self._out.write(head.removesuffix(b"]}"))
            self._recordings += 1
        if isinstance(result, TagResult | SoundEvent):
            row = result_to_json(result, has_clock=shows_clock(self._run))
            del row["file"]
            self._out.write((b",\n " if self._rows else b"\n ") + encode(row))
            self._rows += 1
            return
        outcome = result.to_dict()
        del outcome["file"]
        self._out.write(b"], " + encode(outcome)[1:])
        self._rows = 0

    def close(self) -> None:
        self._out.write(b"\n]}\n")
