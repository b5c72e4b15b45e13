"""Lanes -> groups of windows, in as many threads as there are decoders."""

from __future__ import annotations

import time
from itertools import chain, islice
from typing import TYPE_CHECKING

from cedtag.errors import AudioError
from cedtag.inputs.windows import by_channel, sliding_windows
from cedtag.records import PASSING_STAGES, FileEnd, FileFailed
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
        said = tuple(recording.problems), tuple(recording.warnings), recording.cause, recording.traceback
        return FileEnd(source, lane.num_samples, lane.num_windows, *said)

    def _opened(self, lane: Lane) -> Recording:
        lane.waiting_since = time.monotonic()
        lane.recording = recording = self._open_recording(lane.source)
        if lane.abandoned:  # while it was opened: nobody else will close it
            recording.close()
        return recording

    def _cut(self, lane: Lane, recording: Recording) -> None:
        settings = self._settings
        windows = sliding_windows(lane.watched(recording.blocks()), lane.source, settings.window, settings.hop)
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
