"""Places in the recordings of a store, such as `archive#owl.wav@12.5`, and the windows that they mean."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import InputError
from cedtag.inputs.window_settings import samples_of
from cedtag.records import SAMPLE_RATE_HZ, FileEnd
from cedtag.store import is_score_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.store.column import EmbeddingColumn
    from cedtag.store.read import Store

_SECOND = re.compile(r"\d{1,6}(\.\d{0,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A moment (`stop` is None) or a stretch of a recording, in samples."""

    recording: str
    start: int
    stop: int | None = None


def store_of_place(text: str) -> Path | None:
    """The store in `STORE#recording@second`; None for any other text."""
    return next((Path(store) for store, _ in _halves(text) if is_score_store(Path(store))), None)


def place_in(store: Path, text: str) -> Place | None:
    """The place that `STORE#recording@second` names in this store; None for any other text, such as a path."""
    for named, rest in _halves(text):
        if os.path.abspath(named) == os.path.abspath(store):  # noqa: PTH100 -- of a name, whatever is there
            name, at, second = rest.rpartition("@")
            if not (name and at and _SECOND.fullmatch(second)):
                raise InputError(f"{text}: write STORE#RECORDING@SECOND, such as {named}#owl.wav@12.5")
            return Place(name, samples_of(float(second)))
    return None


def _halves(text: str) -> Iterator[tuple[str, str]]:
    """What stands before and behind each # in a text."""
    for match in re.finditer("#", text):
        yield text[: match.start()], text[match.end() :]


class PlaceFinder:
    """Finds the windows of places in a column; the names of recordings are those of the store."""

    def __init__(self, store: Store, column: EmbeddingColumn) -> None:
        self._store, self._column = store, column
        self._by_name = {one.outcome.source.name: one.id for one in store.stored() if isinstance(one.outcome, FileEnd)}
        self._ids = np.concatenate([rows["id"] for rows in column.parts]) if len(column) else np.empty(0, np.int64)

    def windows(self, place: Place) -> list[int]:
        """The places, counted over the column, of the windows that are meant; InputError where there is none.

        Of a moment the window, or the window of each channel, whose middle is nearest; of a stretch the windows that it
        shares half of the shorter of the two with.
        """
        name = place.recording
        if name not in self._by_name:
            raise InputError(f"{self._store.path}: holds no recording {name}; `cedtag query` shows their names")
        rows = np.flatnonzero(self._ids == self._by_name[name])
        found = self._column.rows(rows)
        start, stop = found["start"], found["stop"]
        if place.stop is None:
            is_meant = (start <= place.start) & (place.start < stop)
            away = np.abs(start + stop - 2 * place.start)
            is_meant &= away == away[is_meant].min(initial=np.iinfo(np.int64).max)
        else:
            common = np.minimum(stop, place.stop) - np.maximum(start, place.start)
            is_meant = (common > 0) & (2 * common >= np.minimum(stop - start, place.stop - place.start))
        if not is_meant.any():
            at = f"{place.start / SAMPLE_RATE_HZ:g} s" if place.stop is None else "that stretch"
            raise InputError(f"{self._store.path}: {name} has no window at {at}; see how long it is")
        return [int(row) for row in rows[is_meant]]
