"""The embeddings of a store in memory-mapped files, one for each part: a cache, which may be deleted at any time."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cedtag.errors import InputError, OutputError
from cedtag.store.schema import EMBEDDING
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.float16 import widened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.store.parts import PartFile
    from cedtag.store.read import Store

CACHE = "embeddings.cache"
_PLACE = {"id": "id", "start": "start_sample", "stop": "stop_sample", "channel": "channel"}  # field -> column

Rows: TypeAlias = NDArray[np.void]


class EmbeddingColumn:
    """The windows of a store that count, in the order of its parts.

    Each of `parts` are records of `column_type`: the id of the recording, where the window is, the length of its
    embedding as a vector, and the embedding.
    """

    def __init__(self, parts: list[Rows], size: int) -> None:
        self.parts, self.size = parts, size
        self.starts: list[int] = np.cumsum([0, *map(len, parts)]).tolist()

    def __len__(self) -> int:
        return self.starts[-1]

    def rows(self, places: NDArray[np.int64]) -> Rows:
        """The records at these places, counted over all parts."""
        found = np.empty(len(places), column_type(self.size))
        for part, first in zip(self.parts, self.starts, strict=False):
            inside = (places >= first) & (places < first + len(part))
            found[inside] = part[places[inside] - first]
        return found


def column_type(size: int) -> np.dtype[np.void]:
    """One window; the embedding last, so that all numbers are aligned."""
    fields = [("id", "<i8"), ("start", "<i8"), ("stop", "<i8"), ("length", "<f8"), ("channel", "<i2")]
    return np.dtype([*fields, (EMBEDDING, "<f2", (size,))], align=True)


@contextmanager
def open_column(store: Store) -> Iterator[EmbeddingColumn]:
    """The embeddings of a store, from its cache; what the cache lacks is added, and what has changed is made anew.

    Where the folder of the store cannot be written, that is a temporary folder. InputError for a store without
    embeddings, and OutputError where there is no room.
    """
    size = store.embedding_size
    if size is None:
        raise InputError(f"{store.path}: holds no embeddings; tag again into a new store, without --no-embeddings")
    with TemporaryDirectory(prefix="cedtag-") as temporary:
        places = (store.path / CACHE, Path(temporary))
        parts = [_mapped(part, size, places) for part in store.window_parts()]
        _remove_others(store)
        if sum(map(len, parts)) != store.num_windows:
            ids = store.ids
            parts = [rows[np.isin(rows["id"], ids)] for rows in parts]
        yield EmbeddingColumn(parts, size)
        del parts


def _mapped(part: PartFile, size: int, places: tuple[Path, ...]) -> Rows:
    """The records of a part: from its file in one of these folders, or the first that one can be written in."""
    files = [place / _name(part.path) for place in places]
    for file in files:
        if (found := _load(file, size, part.num_rows)) is not None:
            return found
    records = _read(part, size)
    for file in files[:-1]:
        with suppress(OutputError, OSError):
            _save(file, records)
            break
    else:
        _save(files[-1], records)
    found = next((rows for file in files if (rows := _load(file, size, part.num_rows)) is not None), None)
    assert found is not None, "it was written just now"
    return found


def _name(part: Path) -> str:
    """The name of a part's file, which is another where the part has changed."""
    state = part.stat()
    return f"{part.stem}.{state.st_size:x}-{state.st_mtime_ns:x}.npy"


def _load(file: Path, size: int, num_rows: int) -> Rows | None:
    """The records in a file; None where it is not there, or is damaged."""
    try:
        rows: Rows = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return rows if rows.dtype == column_type(size) and rows.shape == (num_rows,) else None


def _save(file: Path, records: Rows) -> None:
    with writing(file), writing_whole(file) as out:
        np.save(out, records, allow_pickle=False)


def _read(part: PartFile, size: int) -> Rows:
    """The records of a part, read from the part itself; InputError where one is not finite."""
    records = np.zeros(part.num_rows, column_type(size))
    for number, first in enumerate(part.group_starts[:-1]):
        table = part.read_group(number, [*_PLACE.values(), EMBEDDING])
        rows = records[first : first + len(table)]
        for field, name in _PLACE.items():
            rows[field] = table[name].to_numpy()
        values = table[EMBEDDING].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        if values.shape[1] != size or not np.isfinite(widened(values)).all():
            raise InputError(f"{part.path}: holds embeddings that are no {size} finite numbers; restore the file")
        rows[EMBEDDING] = values
        rows["length"] = np.sqrt(np.square(values, dtype=np.float64).sum(1))
    return records


def _remove_others(store: Store) -> None:
    """Remove the files of parts that are gone, or have changed."""
    folder, wanted = store.path / CACHE, {_name(part.path) for part in store.window_parts()}
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 -- none where there is no folder
            if name.endswith(".npy") and not name.startswith(".") and name not in wanted:
                (folder / name).unlink()
