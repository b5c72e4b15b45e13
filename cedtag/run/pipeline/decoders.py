"""Lanes -> groups of windows, in as many threads as there are decoders."""

from __future__ import annotations

import time
from itertools import chain, islice
from typing import TYPE_CHECKING

from cedtag.errors import AudioError
from cedtag.inputs.windows import by_channel, windows_of_part
from cedtag.records import PASSING_STAGES, FileEnd, FileFailed, seconds
from cedtag.run.pipeline.lane import WindowGroup

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio import Recording
    from cedtag.records import Source, Window
    from cedtag.run.pipeline.lane import Lane
    from cedtag.run.pipeline.settings import PipelineSettings
    from cedtag.run.pipeline.threads import WorkQueue


class LaneDecoder:
    """Decodes one lane after another and puts their groups, of `group_size` windows, in a queue for the scorers."""

    def __init__(
        self,
        open_recording: Callable[[Source], Recording],
        settings: PipelineSettings,
        group_size: int,
        to_score: WorkQueue[WindowGroup],
    ) -> None:
        self._open_recording, self._settings, self._group_size = open_recording, settings, group_size
        self._to_score = to_score

    def run(self, lanes: WorkQueue[Lane]) -> None:
        """Decode lanes until their queue is closed, or one is abandoned: another thread has then replaced this one."""
        while (lane := lanes.get()) is not None:
            try:
                lane.items.put(self.decode(lane))
            except BaseException as error:  # noqa: BLE001 -- raised again where the lane is drained
                lane.items.put(error)
            if lane.abandoned:
                return

    def decode(self, lane: Lane) -> FileEnd | FileFailed:
        """Put the windows of a recording in its lane and return its end; damage after the first group is a problem."""
        source = lane.source
        try:
            recording = self._opened(lane)
        except AudioError as error:
            return FileFailed(source, error.stage, str(error), error.traceback)
        try:
            self._cut(lane, recording)
        except AudioError as error:
            if not lane.num_windows:
                return FileFailed(source, error.stage, str(error), error.traceback)
            recording.problems.append(str(error))
            recording.cause = error.stage if error.stage in PASSING_STAGES else recording.cause
            recording.traceback = error.traceback
        finally:
            recording.close()
        problems, warnings = tuple(recording.problems), tuple(recording.warnings)
        part = self._settings.part
        num_samples = lane.num_samples if part.stop is None else min(lane.num_samples, part.stop)
        if num_samples <= part.start and part.start:
            warnings += (f"ends at {seconds(num_samples):.3f} s, and the part begins at {seconds(part.start):.3f} s",)
        said = problems, warnings, recording.cause, recording.traceback
        return FileEnd(source, num_samples, lane.num_windows, *said)

    def _opened(self, lane: Lane) -> Recording:
        lane.waiting_since = time.monotonic()
        lane.recording = recording = self._open_recording(lane.source)
        if lane.abandoned:  # while it was opened: nobody else will close it
            recording.close()
        return recording

    def _cut(self, lane: Lane, recording: Recording) -> None:
        settings = self._settings
        blocks = lane.watched(recording.blocks())
        if settings.cut is not None:
            windows = settings.cut(blocks, lane.source)
        else:
            windows = windows_of_part(blocks, settings.part, lane.source, settings.window, settings.hop)
        while group := tuple(chain.from_iterable(map(by_channel, islice(windows, self._group_size)))):
            lane.room.acquire()
            if lane.abandoned:
                return
            self._submit(lane, group)

    def _submit(self, lane: Lane, windows: tuple[Window, ...]) -> None:
        group = WindowGroup(windows)
        lane.num_windows += len(windows)
        self._to_score.put(group)
        lane.items.put(group)
