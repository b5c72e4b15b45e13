"""Labelled embeddings: of folders of clips, and of files of labels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import InputError
from cedtag.learning.labels_file import Answer, read_labels
from cedtag.similar.hearing import hear
from cedtag.similar.places import PlaceFinder
from cedtag.store.schema import EMBEDDING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cedtag.records import FileEnd, FileFailed, Skipped
    from cedtag.scoring import LoadedModel
    from cedtag.store.column import EmbeddingColumn
    from cedtag.store.read import Store


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Embeddings `(n, d)`, answers `(n,)`, the number of the clip `(n,)` of each, and places in the store.

    `answered` are the places of windows that have an answer already; `num_waiting` rows of files have none yet.
    """

    embeddings: NDArray[np.float64]
    is_yes: NDArray[np.bool_]
    clip: NDArray[np.int64]
    answered: tuple[int, ...]
    num_waiting: int = 0


def answers_of(names: Sequence[str], class_name: str) -> tuple[list[Answer], int]:
    """The answers that folders and files give: the first folder holds what is yes, the second what is no."""
    folders = [name for name in names if os.path.isdir(name)]  # noqa: PTH112 -- no error for a name that is too long
    if len(folders) > 2:
        raise InputError(f"{folders[2]}: is a third folder; name one of clips that are yes, and one that are no")
    answers, num_waiting = [], 0
    for name in names:
        if name in folders:
            answers.append(Answer(name == folders[0], name, clip=Path(name)))
        elif Path(name).suffix.lower() == ".csv":
            found, waiting = read_labels(Path(name), class_name)
            answers += found
            num_waiting += waiting
        else:
            raise InputError(
                f"{name}: name folders of clips (the first is yes, the second no) and files of labels (.csv)"
            )
    return answers, num_waiting


def labelled(
    answers: Sequence[Answer],
    store: Store,
    column: EmbeddingColumn,
    load: Callable[[], LoadedModel],
    on_outcome: Callable[[FileEnd | FileFailed | Skipped], object],
) -> Labelled:
    """The embeddings of what is answered: of places those in the store, of clips those that are heard now.

    Every window of a clip has its answer. InputError where a window is yes in one place and no in another, and where
    all answers are the same.
    """
    made = _Made(column.size)
    finder = PlaceFinder(store, column) if any(answer.place for answer in answers) else None
    said: dict[int, Answer] = {}
    for answer in answers:
        if answer.place is None:
            continue
        assert finder is not None
        for window in finder.windows(answer.place):
            if said.setdefault(window, answer).is_yes != answer.is_yes:
                raise InputError(f"{answer.where} and {said[window].where}: the same window is yes and no; correct one")
    for window, answer in said.items():
        made.add(column.rows(np.array([window]))[EMBEDDING].astype(np.float64), answer.is_yes)
    for is_yes in (True, False):
        clips = list(dict.fromkeys(str(one.clip) for one in answers if one.clip is not None and one.is_yes == is_yes))
        if clips:
            for heard in hear(clips, store, load(), on_outcome):
                made.add(heard.embeddings, is_yes)
    return made.labelled(tuple(said))


class _Made:
    """Labelled embeddings that grow clip by clip."""

    def __init__(self, size: int) -> None:
        self._embeddings: list[NDArray[np.float64]] = [np.empty((0, size))]
        self._is_yes: list[bool] = []
        self._clip: list[int] = []
        self._num_clips = 0

    def add(self, embeddings: NDArray[np.float64], is_yes: bool) -> None:
        self._embeddings.append(embeddings)
        self._is_yes += [is_yes] * len(embeddings)
        self._clip += [self._num_clips] * len(embeddings)
        self._num_clips += 1

    def labelled(self, answered: tuple[int, ...]) -> Labelled:
        for is_yes, word in ((True, "yes"), (False, "no")):
            if is_yes not in self._is_yes:
                raise InputError(f"no example is {word}, and a class is learned from both; add clips that are {word}")
        arrays = np.concatenate(self._embeddings), np.array(self._is_yes), np.array(self._clip)
        return Labelled(*arrays, answered)
