"""The engine that decodes and scores in threads of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.run.pipeline.decoders import LaneDecoder
from cedtag.run.pipeline.drain import drain
from cedtag.run.pipeline.lister import Lister
from cedtag.run.pipeline.scorers import start_scorers
from cedtag.run.pipeline.settings import look_ahead
from cedtag.run.pipeline.threads import DaemonThreads, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from cedtag.audio import Recording
    from cedtag.records import Listed, Outcome, Source
    from cedtag.run.pipeline.lane import Lane, WindowGroup
    from cedtag.run.pipeline.settings import PipelineSettings
    from cedtag.scoring import Scorer

# How long a run that is closed waits for its threads; one whose decoder hangs is left behind.
_SECONDS_TO_END = 0.8


class LocalEngine:
    """Lists, decodes and scores in threads; an `Engine`."""

    def __init__(
        self, open_recording: Callable[[Source], Recording], scorer: Scorer, settings: PipelineSettings
    ) -> None:
        self._open_recording, self._scorer, self._settings = open_recording, scorer, settings

    def run(self, sources: Iterable[Listed]) -> Generator[Outcome, None, None]:
        """Yield the outcomes of all sources, in order; see `Engine`."""
        settings, ahead = self._settings, look_ahead(self._scorer, self._settings)
        to_decode: WorkQueue[Lane] = WorkQueue()
        to_score: WorkQueue[WindowGroup] = WorkQueue()
        lister = Lister(ahead, to_decode)
        decoder = LaneDecoder(self._open_recording, settings, ahead.windows, to_score)
        threads = DaemonThreads()

        def start_decoder() -> None:
            threads.start("decoder", decoder.run, to_decode)

        try:
            threads.start("lister", lister.run, sources)
            for _ in range(settings.decoders):
                start_decoder()
            start_scorers(settings.scorers, self._scorer, to_score, threads, with_columns=settings.columns)
            for lane in lister.lanes():
                yield from drain(lane, settings.timeout_s, start_decoder)
        finally:
            to_decode.close()
            to_score.close()
            lister.stop()
            threads.join(_SECONDS_TO_END)
