"""A class of one's own, from examples and the embeddings of a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio import AUDIO_SUFFIXES
from cedtag.checkpoints.names import WEIGHTS_NAME
from cedtag.errors import InputError
from cedtag.learning.checkpoint import head_of, load_base, write_checkpoint
from cedtag.learning.examples import answers_of, labelled
from cedtag.learning.logistic import Examples, fit, held_out, require_scikit_learn, scale_of
from cedtag.learning.quality import quality_of
from cedtag.learning.suggestions import write_suggestions
from cedtag.model.config import is_printable
from cedtag.scoring.embedding_head import HEAD_NAME, normalised
from cedtag.store.column import open_column
from cedtag.store.schema import EMBEDDING
from cedtag.system.destinations import OutputPath, check_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.errors import AudioError
    from cedtag.learning.checkpoint import BaseModel
    from cedtag.learning.quality import Quality
    from cedtag.learning.settings import LearningSettings
    from cedtag.records import FileEnd, FileFailed, Skipped
    from cedtag.scoring import LoadedModel
    from cedtag.scoring.embedding_head import EmbeddingHead
    from cedtag.store.column import EmbeddingColumn
    from cedtag.store.read import Store

_SCALED_BY = 10_000  # windows of the archive


@dataclass(frozen=True, slots=True)
class LearnCallbacks:
    """Functions that are told how a learning goes on.

    `on_outcome` of what became of each clip, `on_failure` of each recording that a suggestion could not be cut from.
    """

    on_outcome: Callable[[FileEnd | FileFailed | Skipped], object] = lambda outcome: None
    on_failure: Callable[[AudioError], object] = lambda error: None


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A class that was learned: from how many clips, its `head`, its `quality` where that could be measured.

    `waiting` rows of files of labels have no answer yet; `suggested` is the file of labels of new suggestions.
    """

    head: EmbeddingHead
    num_yes: int
    num_no: int
    quality: Quality | None
    waiting: int
    suggested: Path | None = None


def learn(
    store: Store,
    examples: Sequence[str],
    settings: LearningSettings,
    load: Callable[[], LoadedModel],
    callbacks: LearnCallbacks | None = None,
) -> Learned:
    """Learn a class from examples, and write the model of the store with this class as a checkpoint.

    `examples` are a folder of clips that are yes, one of clips that are no, and files of labels: see `read_labels`.
    `load` gives the model of the store. Raises InputError, ModelError, OutputError, and AudioError where no clip can be
    heard.
    """
    callbacks, name = callbacks or LearnCallbacks(), settings.class_name
    if not is_printable(name):
        raise InputError(f"`name` {name!r}: expected one line of text")
    require_scikit_learn()
    check_outputs(
        [OutputPath(settings.folder / file, "folder") for file in (WEIGHTS_NAME, HEAD_NAME)],
        list(examples),
        overwrite=settings.overwrite,
        input_suffixes=AUDIO_SUFFIXES,
    )
    answers, waiting = answers_of(examples, name)
    with open_column(store) as column:
        if settings.suggest and not len(column):
            raise InputError(f"{store.path}: holds no window to suggest; tag recordings into it first")
        loaded = load()
        base = load_base(loaded.checkpoint, name, only=settings.only)
        found = labelled(answers, store, column, lambda: loaded, callbacks.on_outcome)
        data = Examples(_features(found.embeddings, base), found.is_yes, found.clip)
        scale = scale_of(np.concatenate([data.features, _features(_sample(column), base)]))
        fitted = fit(data, scale)
        quality = quality_of(data, held_out(data, scale))
        head = head_of(base, fitted, name, store.settings, only=settings.only)
        write_checkpoint(settings.folder, base, head, _sentence(quality), only=settings.only)
        suggested = None
        if settings.suggest:
            suggested = write_suggestions(store, column, head, found.answered, settings, callbacks.on_failure)
    return Learned(head, data.num_clips(is_yes=True), data.num_clips(is_yes=False), quality, waiting, suggested)


def _features(embeddings: NDArray[np.float64], base: BaseModel) -> NDArray[np.float64]:
    return normalised(embeddings, base.norm_weight, base.norm_bias)


def _sample(column: EmbeddingColumn) -> NDArray[np.float64]:
    """Embeddings of windows that lie evenly in the archive: they tell, with the examples, how much features vary."""
    places = np.unique(np.linspace(0, len(column) - 1, min(len(column), _SCALED_BY)).astype(np.int64))
    return column.rows(places)[EMBEDDING].astype(np.float64)


def _sentence(quality: Quality | None) -> str:
    if quality is None:
        return "Its quality was not measured: that takes two clips that are yes, and two that are no."
    return f"By cross-validation it {quality}."
