"""JSON: one document with the run's metadata and every recording with its outcome."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cedtag.records import SoundEvent, TagResult
from cedtag.writers.clock_columns import shows_clock
from cedtag.writers.lines import encode, result_to_json
from cedtag.writers.per_recording import Totals, is_per_recording

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class JsonWriter:
    """`{"schema", "version", "settings", "recordings": [{"file", "windows", "status", ...}]}`, a line per window.

    `classes` in the head are those that can appear: `[index, mid, label]`. Events stand in `events` in place of
    `windows`, and another `events` in the head holds how they were made. With the layout `file` a recording has
    `classes` in the place of both.
    """

    needs_ends = needs_classes = has_channels = has_file_layout = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out, self._run = out, run
        self._recordings = 0
        self._rows = 0
        self._totals = Totals(run) if is_per_recording(run) else None
        out.write(encode(run.head())[:-1] + b', "recordings": [')

    def write(self, result: Result) -> None:
        if self._totals is not None:
            self._write_total(self._totals, result)
            return
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

    def _write_total(self, totals: Totals, result: Result) -> None:
        if isinstance(result, TagResult | SoundEvent):
            totals.add(result)
            return
        self._out.write((b",\n" if self._recordings else b"\n") + encode(totals.to_json(result)))
        self._recordings += 1

    def close(self) -> None:
        self._out.write(b"\n]}\n")
