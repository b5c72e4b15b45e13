"""The store of a run: all scores, embeddings and outcomes, of which any later question is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.system.extras import require
from cedtag.system.part_folder import is_store

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.store.read import Store

KIND = "scores"


def open_store(path: Path) -> Store:
    """The store that `cedtag tag --store` has written to a folder, to be read; see `Store`.

    InputError where none is there, and for parts that are damaged or of another run. MissingPackageError without
    pyarrow.
    """
    require("store", "a store needs pyarrow")
    from cedtag.store.read import Store

    return Store(path)


def journal_of_store(path: Path) -> Path:
    """Where the journal of a store is, from which a run goes on."""
    return path / ".cedtag.journal"


def is_score_store(path: Path) -> bool:
    """Whether there is a store of scores at a path."""
    return is_store(path, KIND)
