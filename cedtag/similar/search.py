"""The windows of a store that sound like examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.errors import InputError
from cedtag.records import Tag, TagResult, seconds
from cedtag.similar.hearing import hear
from cedtag.similar.nearest import Wanted, directions, nearest
from cedtag.similar.places import PlaceFinder, place_in
from cedtag.similar.settings import SimilarSettings
from cedtag.store.column import open_column
from cedtag.store.schema import EMBEDDING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cedtag.records import FileEnd, FileFailed, Skipped, Source
    from cedtag.scoring import LoadedModel
    from cedtag.store.column import EmbeddingColumn
    from cedtag.store.read import Store


@dataclass(frozen=True, slots=True)
class SimilarWindow:
    """A window from sample `start` to `stop`, and the cosine of its embedding with that of its nearest `example`."""

    source: Source
    start: int
    stop: int
    channel: int
    similarity: float
    example: str

    def to_dict(self) -> dict[str, Any]:
        """The window in seconds."""
        place = {"file": self.source.name, "start": seconds(self.start), "end": seconds(self.stop)}
        channel = {"channel": self.channel} if self.channel else {}
        return place | channel | {"similarity": round(self.similarity, 4), "example": self.example}

    def to_result(self) -> TagResult:
        """The window as if it had one tag, "similar": so it can be cut out of its recording."""
        tag = Tag(0, "", "similar", round(max(0.0, min(1.0, self.similarity)), 4))
        return TagResult(self.source, 0, self.start, self.stop, (tag,), self.channel)


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    """The embeddings of examples `(m, d)`, the name of each, and which windows of the store they are."""

    embeddings: NDArray[np.float64]
    names: Sequence[str]
    places: Sequence[int]


def find_similar(
    store: Store,
    examples: Sequence[str],
    settings: SimilarSettings | None = None,
    load: Callable[[], LoadedModel] | None = None,
    on_outcome: Callable[[FileEnd | FileFailed | Skipped], object] = lambda outcome: None,
) -> list[SimilarWindow]:
    """The windows of a store that are nearest to any of these examples, best first.

    Examples are clips, folders of them, or places in the store, written `STORE#recording@second`, which are not found
    again. All windows of a clip are examples. `load` gives the model of the store, and is called if a clip is to be
    heard; `on_outcome` is called with what became of each. Raises InputError, ModelError, and AudioError where no clip
    can be heard.
    """
    settings = settings or SimilarSettings()
    if not examples:
        raise InputError("no example was named; name a clip, or a place in the store")
    with open_column(store) as column:
        alike = _examples(store, column, examples, load, on_outcome)
        others = _examples(store, column, settings.unlike, load, on_outcome) if settings.unlike else None
        found = nearest(
            column,
            Wanted(
                directions(alike.embeddings),
                np.empty((0, column.size)) if others is None else directions(others.embeddings),
                settings.num_best,
                settings.diverse,
                (*alike.places, *(others.places if others else ())),
            ),
            store.ids,
        )
        return [
            SimilarWindow(
                store.recording(int(row["id"])).source,
                int(row["start"]),
                int(row["stop"]),
                int(row["channel"]),
                float(similarity),
                alike.names[example],
            )
            for row, similarity, example in zip(found.rows, found.similarity, found.example, strict=True)
        ]


def _examples(
    store: Store,
    column: EmbeddingColumn,
    names: Sequence[str],
    load: Callable[[], LoadedModel] | None,
    on_outcome: Callable[[FileEnd | FileFailed | Skipped], object],
) -> _Examples:
    """The examples of these names, those in the store first."""
    places = {name: place for name in names if (place := place_in(store.path, name)) is not None}
    clips = [name for name in names if name not in places]
    embeddings, called, windows = [np.empty((0, column.size))], [], []
    if places:
        finder = PlaceFinder(store, column)
        for name, place in places.items():
            meant = finder.windows(place)
            windows += meant
            called += [name] * len(meant)
        embeddings.append(column.rows(np.array(windows, np.int64))[EMBEDDING].astype(np.float64))
    if clips:
        if load is None:
            raise InputError(f"{clips[0]}: is no place in the store, and there is no model to hear it with")
        for heard in hear(clips, store, load(), on_outcome):
            embeddings.append(heard.embeddings)
            called += [heard.name] * len(heard.embeddings)
    return _Examples(np.concatenate(embeddings), called, windows)
