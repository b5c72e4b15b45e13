"""Learned classes beside those of a store: their scores are made of its embeddings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import InputError
from cedtag.labels.batches import SCALE
from cedtag.labels.table import Label
from cedtag.records import FileEnd, FileFailed
from cedtag.scoring.embedding_head import read_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cedtag.scoring.embedding_head import EmbeddingHead
    from cedtag.store.read import Store, WindowBatch


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


def stored_with(
    store: Store, classes: Sequence[int], heads: Sequence[EmbeddingHead]
) -> Iterator[WindowBatch | FileEnd | FileFailed]:
    """What is stored, with the scores of these classes in this order; those after the model's are of `heads`."""
    own = [index for index in classes if index < len(store.labels)]
    asked = [heads[index - len(store.labels)] for index in classes if index >= len(store.labels)]
    if not asked:
        yield from store.results(own)
        return
    for one in store.results(own, embeddings=True):
        if isinstance(one, FileEnd | FileFailed):
            yield one
            continue
        assert one.embeddings is not None
        learned = [np.rint(head.probabilities(one.embeddings).astype(np.float64) * SCALE) for head in asked]
        yield replace(one, scores=np.column_stack([one.scores, *learned]).astype(np.uint16), embeddings=None)
