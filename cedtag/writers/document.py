"""JSON: one document with the run's metadata and every recording with its outcome."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cedtag.records import SoundEvent, TagResult
from cedtag.writers.clock_columns import shows_clock
from cedtag.writers.lines import JsonObjects, encode
from cedtag.writers.per_recording import Totals, is_per_recording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.labels.tagged import TaggedWindows
    from cedtag.records import Result, Source
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
        self._objects = JsonObjects(has_clock=shows_clock(run), names_file=False)
        self._recordings = 0
        self._rows = 0
        self._totals = Totals(run) if is_per_recording(run) else None
        out.write(encode(run.head())[:-1] + b', "recordings": [')

    def write(self, result: Result) -> None:
        if self._totals is not None:
            self._write_total(self._totals, result)
            return
        if isinstance(result, TagResult | SoundEvent):
            objects = [self._objects.of(result)]
            self._write_objects(result.source, objects, is_event=isinstance(result, SoundEvent))
            return
        self._write_objects(result.source, [])
        outcome = result.to_dict()
        del outcome["file"]
        self._out.write(b"], " + encode(outcome)[1:])
        self._rows = 0

    def write_windows(self, windows: TaggedWindows) -> None:
        """Write many windows at once."""
        if self._totals is None:
            self._write_objects(windows.source, self._objects.of_windows(windows))
            return
        for result in windows.results():
            self._totals.add(result)

    def _write_objects(self, source: Source, objects: Sequence[str], *, is_event: bool = False) -> None:
        """Write windows or events of a recording, below its head."""
        if self._rows == 0:
            self._out.write(b",\n" if self._recordings else b"\n")
            is_event = is_event or self._run.events is not None
            head = encode({"file": source.name, "events" if is_event else "windows": []})
            self._out.write(head.removesuffix(b"]}"))
            self._recordings += 1
        if objects:
            self._out.write(((",\n " if self._rows else "\n ") + ",\n ".join(objects)).encode())
            self._rows += len(objects)

    def _write_total(self, totals: Totals, result: Result) -> None:
        if isinstance(result, TagResult | SoundEvent):
            totals.add(result)
            return
        self._out.write((b",\n" if self._recordings else b"\n") + encode(totals.to_json(result)))
        self._recordings += 1

    def close(self) -> None:
        self._out.write(b"\n]}\n")
