"""A store of an archive, filled by the scorer of the tests as `cedtag tag --store` fills it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio import Decoders
from cedtag.inputs.sources import find_sources
from cedtag.inputs.start_time import timed
from cedtag.labels.table import audioset
from cedtag.records import FileEnd, FileFailed, ScoredWindow
from cedtag.run.archive import pipeline_settings, scoring_of, with_notes
from cedtag.run.pipeline import score_recordings
from cedtag.run.settings import RunSettings, score_settings
from cedtag.scoring import Compute
from cedtag.store.facts import MAKER, StoreFacts
from cedtag.store.write import open_store_writer
from tests.archive import StubScorer, stub_tagger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.records import Window


@dataclass
class AudioSetScorer(StubScorer):
    """Scores of all classes that depend on the samples of the window alone; many are alike, and most are low."""

    labels = tuple(audioset())

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        return np.array([_scores(window.samples) for window in windows], np.float32)


def _scores(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    rng = np.random.default_rng(np.frombuffer(samples.tobytes()[:64], np.uint8))
    scores = rng.random(527, np.float32) ** 12
    scores[::7] = scores[::7].round(1)
    return scores.astype(np.float32)


def fill_store(path: Path, archive: str, settings: RunSettings, scorer: StubScorer) -> None:
    """Score an archive into a store."""
    from cedtag.checkpoints.choice import ModelChoice

    model = stub_tagger(scorer)(ModelChoice("ced-tiny"), Compute()).model
    scoring = scoring_of(settings, scorer)
    made = score_settings(settings, scoring, model)
    maker = {name: value for name, value in made.items() if name in MAKER}
    rest = {name: value for name, value in made.items() if name not in MAKER}
    writer = open_store_writer(path, StoreFacts(rest, scorer.labels, None, maker))
    sources = timed(find_sources([archive], settings.search), settings.clock)
    with Decoders(settings.reading.decoding) as decoders:
        plan = pipeline_settings(settings, scoring, scorer)
        for outcome in map(with_notes, score_recordings(sources, decoders.open, scorer, plan)):
            if isinstance(outcome, ScoredWindow):
                writer.add(outcome)
            elif isinstance(outcome, FileEnd | FileFailed):
                writer.end(outcome)
    writer.finish_part()
    writer.close()
