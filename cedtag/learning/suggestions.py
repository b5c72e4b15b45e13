"""Windows that would teach a class most, as clips with a file of labels to fill in."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from cedtag.learning.labels_file import COLUMNS
from cedtag.learning.suggest import least_sure
from cedtag.records import Tag, TagResult, seconds
from cedtag.results.clip_settings import ClipSettings
from cedtag.results.extract import extract_clips
from cedtag.store.schema import EMBEDDING
from cedtag.system.atomic import writing, writing_whole
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.errors import AudioError
    from cedtag.learning.settings import LearningSettings
    from cedtag.results.extract import Cut
    from cedtag.scoring.embedding_head import EmbeddingHead
    from cedtag.store.column import EmbeddingColumn
    from cedtag.store.read import Store

LABELS = "labels.csv"
_NAME = "{number:03d}_{score:.2f}_{name}_{start:.3f}"


def write_suggestions(
    store: Store,
    column: EmbeddingColumn,
    head: EmbeddingHead,
    answered: Sequence[int],
    settings: LearningSettings,
    on_failure: Callable[[AudioError], object],
) -> Path:
    """Cut the windows that the class is least sure of into a new folder; the file of labels there, to be filled in."""
    folder = _new_folder(settings.folder)
    scores = scores_of(head, column)
    ids = np.concatenate([rows["id"] for rows in column.parts])
    places = least_sure(scores, ids, settings.suggest, answered)
    results = list(_results(store, column, head, places, scores[places]))
    cut = ClipSettings(folder, name=_NAME, max_per_class=0, root=settings.root)
    cuts = extract_clips(results, cut, on_failure)
    _write_labels(folder / LABELS, cuts)
    return folder / LABELS


def scores_of(head: EmbeddingHead, column: EmbeddingColumn) -> NDArray[np.float32]:
    """The class's probability of every window `(n,)`."""
    return np.concatenate([head.probabilities(rows[EMBEDDING]) for rows in column.parts])


def _new_folder(folder: Path) -> Path:
    """The first folder `suggested-1`, `suggested-2`, ... that is not there."""
    number = 1
    while (folder / f"suggested-{number}").exists():
        number += 1
    return folder / f"suggested-{number}"


def _results(
    store: Store,
    column: EmbeddingColumn,
    head: EmbeddingHead,
    places: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> Iterator[TagResult]:
    """The windows as results with this class as their tag."""
    for row, score in zip(column.rows(places), scores.tolist(), strict=True):
        source = store.recording(int(row["id"])).source
        tag = Tag(head.label.index, "", head.label.name, round(score, 4))
        yield TagResult(source, 0, int(row["start"]), int(row["stop"]), (tag,), int(row["channel"]))


def _write_labels(path: Path, cuts: Sequence[Cut]) -> None:
    text = io.StringIO()
    writer = RowWriter(text)
    writer.writerow((*COLUMNS, "score"))
    for cut in cuts:
        clip = cut.clip
        place = (clip.path.name, clip.source.name, f"{seconds(clip.start):.3f}", f"{seconds(clip.stop):.3f}")
        writer.writerow((*place, "", f"{clip.tag.score:.4f}"))
    with writing(path), writing_whole(path) as out:
        out.write(text.getvalue().encode("utf-8", "surrogateescape"))
