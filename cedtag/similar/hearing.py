"""Clips, heard with the model of a store: their embeddings, as the store would hold them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio import Decoders
from cedtag.errors import AudioError, InputError
from cedtag.inputs.search import Search
from cedtag.inputs.sources import find_sources
from cedtag.records import AlreadyDone, ScoredWindow
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.run.plan import scoring_of, scoring_threads
from cedtag.run.settings import RunSettings
from cedtag.scoring import Compute, gives_embeddings
from cedtag.scoring.embedded import Embedded
from cedtag.similar.store_model import check_model, windows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from cedtag.records import FileEnd, FileFailed, Skipped
    from cedtag.scoring import LoadedModel
    from cedtag.store.read import Store


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A clip and the embeddings `(n, d)` of its windows, rounded as a store rounds them."""

    name: str
    embeddings: NDArray[np.float64]


def hear(
    paths: Iterable[str],
    store: Store,
    model: LoadedModel,
    on_outcome: Callable[[FileEnd | FileFailed | Skipped], object] = lambda outcome: None,
) -> list[Heard]:
    """The clips at these paths, and in folders there, in the windows of the store; each channel mix.

    `on_outcome` is called with what became of each recording; one that is damaged is heard as far as it goes.
    AudioError where nothing could be heard.
    """
    scorer = model.scorer
    if not gives_embeddings(scorer):
        raise InputError(f"`backend` {scorer.settings['backend']} gives no embeddings; use torch or onnx")
    check_model(store, model)
    scoring = scoring_of(RunSettings(windows=windows_of(store)), scorer)
    plan = PipelineSettings(scoring.window, scoring.hop, scorers=scoring_threads(Compute(), scorer))
    embedded = Embedded(scorer)
    heard: list[Heard] = []
    vectors: list[NDArray[np.float16]] = []
    with (
        Decoders() as decoders,
        closing(score_recordings(find_sources(paths, Search()), decoders.open, embedded, plan)) as outcomes,
    ):
        for outcome in map(embedded.divided, outcomes):
            if isinstance(outcome, ScoredWindow):
                assert outcome.embedding is not None
                vectors.append(outcome.embedding.astype(np.float16))
                continue
            if vectors:
                heard.append(Heard(outcome.source.name, np.stack(vectors).astype(np.float64)))
                vectors = []
            if not isinstance(outcome, AlreadyDone):
                on_outcome(outcome)
    if not heard:
        raise AudioError("no example could be heard; name recordings, or folders of them")
    return heard
