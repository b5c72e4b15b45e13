"""Learned classes beside those of a store: their scores are made of its embeddings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import InputError
from cedtag.labels.table import Label
from cedtag.labels.tagged import SCALE
from cedtag.run.stored import with_tags
from cedtag.scoring.embedding_head import read_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.labels.batches import BatchSelector
    from cedtag.labels.tagged import TagColumns
    from cedtag.run.stored import Stored
    from cedtag.scoring.embedding_head import EmbeddingHead
    from cedtag.store.read import Store
    from cedtag.store.row_groups import Block


def heads_for(store: Store, folders: Sequence[Path]) -> list[EmbeddingHead]:
    """The classes that `cedtag learn` has written to these folders, with indices after those of the store's model.

    InputError for one that was learned on another model, and for a name that is taken; ModelError where none is there.
    """
    heads: list[EmbeddingHead] = []
    taken = {label.name.casefold() for label in store.labels}
    for folder in folders:
        head = read_head(folder)
        head.check_made_on(store.settings, store.path)
        name = head.label.name
        if name.casefold() in taken:
            raise InputError(f"{folder}: there is another class {name}; learn this one under another name")
        taken.add(name.casefold())
        heads.append(replace(head, label=Label(len(store.labels) + len(heads), head.label.mid, name)))
    return heads


def with_tags_of(heads: Sequence[EmbeddingHead], store: Store, select: BatchSelector) -> Iterator[Stored]:
    """What is stored, with tags and scores of classes, of which those after the model's are of `heads`."""
    own = [index for index in select.classes if index < len(store.labels)]
    asked = [heads[index - len(store.labels)] for index in select.classes if index >= len(store.labels)]

    def choose(block: Block) -> tuple[NDArray[np.uint16], TagColumns]:
        assert block.embeddings is not None
        learned = [np.rint(head.probabilities(block.embeddings).astype(np.float64) * SCALE) for head in asked]
        scores = np.column_stack([block.scores, *learned]).astype(np.uint16, order="F")
        return scores, select(scores)

    return store.results(own, embeddings=True, choose=choose) if asked else with_tags(store, select)
