"""Parts as files: written whole from records, and read by row groups."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow
from pyarrow import parquet

from cedtag.errors import InputError
from cedtag.store.facts import facts_from_dict
from cedtag.store.frames import frame_arrays
from cedtag.store.schema import (
    EMBEDDING,
    FACTS,
    RECORDING_COLUMNS,
    RECORDINGS,
    ROWS_PER_GROUP,
    WINDOWS,
    class_columns,
    recording_row,
    recording_schema,
    window_schema,
)
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.part_folder import SUFFIX
from cedtag.writers import storable

_COLUMNS_AT_ONCE = 64  # each that is read holds buffers, which for all classes at once are 80 MB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.store.facts import StoreFacts
    from cedtag.store.schema import StoredRecording

    Records: TypeAlias = "NDArray[np.void]"


def part_path(store: Path, table: str, name: str) -> Path:
    """Where a table's part of that name is."""
    return store / table / f"{name}{SUFFIX}"


def write_part(
    store: Path,
    name: str,
    facts: StoreFacts,
    records: Iterable[Records],
    recordings: Sequence[StoredRecording],
    instead_of: Sequence[str] = (),
) -> None:
    """Write the windows in `records`, blocks of `record_type`, and then the outcomes, which make the part count.

    The rows of each recording begin at its `first_row`, in the order of `recordings`. `instead_of` are names of parts
    that need not be there any more.
    """
    path = part_path(store, WINDOWS, name)
    if any(one.num_windows and one.first_row is not None for one in recordings):
        with writing(path), writing_whole(path) as out:
            _write_windows(out, facts, records, recordings)
    write_recordings(store, name, facts, recordings, instead_of)


def write_recordings(
    store: Path,
    name: str,
    facts: StoreFacts,
    recordings: Sequence[StoredRecording],
    instead_of: Sequence[str] = (),
) -> None:
    """Write the outcomes of a part whose windows are there."""
    path, schema = part_path(store, RECORDINGS, name), recording_schema(facts, instead_of)
    rows = pyarrow.Table.from_pylist(list(map(recording_row, recordings)), schema)
    with (
        writing(path),
        writing_whole(path) as out,
        parquet.ParquetWriter(out, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        writer.write_table(rows, ROWS_PER_GROUP)


def _write_windows(
    out: Any, facts: StoreFacts, records: Iterable[Records], recordings: Sequence[StoredRecording]
) -> None:
    schema, columns = window_schema(facts), class_columns(facts.labels)
    placed = [one for one in recordings if one.first_row is not None and one.num_windows]
    names = pyarrow.array([storable(one.outcome.source.name) for one in placed], pyarrow.string())
    of_row = np.repeat(np.arange(len(placed), dtype=np.int32), [one.num_windows for one in placed])
    at = 0
    # Scores repeat within a class, and in no other column.
    with parquet.ParquetWriter(
        out, schema, compression="zstd", use_dictionary=["recording", *columns], write_page_checksum=True
    ) as writer:
        for block in records:
            indices = pyarrow.array(of_row[at : at + len(block)])
            recording = pyarrow.DictionaryArray.from_arrays(indices, names)
            writer.write_table(pyarrow.Table.from_arrays([recording, *_columns(block, facts)], schema=schema))
            at += len(block)
    assert at == len(of_row), "every window belongs to a recording"


def _columns(block: Records, facts: StoreFacts) -> Iterator[pyarrow.Array]:
    for name in ("id", "index", "channel", "start", "stop"):
        yield pyarrow.array(np.ascontiguousarray(block[name]))
    for scores in np.ascontiguousarray(block["scores"].T):
        yield pyarrow.array(scores)
    if facts.frames is not None:
        yield from frame_arrays(block)
    if facts.embedding_size is not None:
        values = pyarrow.array(np.ascontiguousarray(block[EMBEDDING]).reshape(-1))
        yield pyarrow.FixedSizeListArray.from_arrays(values, facts.embedding_size)


@contextmanager
def reading(part: Path) -> Iterator[None]:
    """Turn what pyarrow raises about a part into a sentence with its name."""
    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{part}: this part of the store is missing or damaged ({reason}); restore the file, or take its "
            "recordings out with `cedtag store forget --damaged` and tag them again"
        ) from error


class PartFile:
    """One part of one table, of which only what is asked for is read, each page checked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path):
            self._file = parquet.ParquetFile(path, page_checksum_verification=True)
            sizes = [self._file.metadata.row_group(n).num_rows for n in range(self._file.metadata.num_row_groups)]
        self.group_starts: list[int] = np.cumsum([0, *sizes]).tolist()
        self._names = set(self._file.schema_arrow.names)

    @property
    def num_rows(self) -> int:
        return self.group_starts[-1]

    def read_group(self, number: int, columns: Sequence[str]) -> pyarrow.Table:
        """The rows of a row group, of these columns alone."""
        self._require(columns)
        chosen, found = list(columns), []
        with reading(self.path):
            for first in range(0, len(chosen), _COLUMNS_AT_ONCE):
                some = chosen[first : first + _COLUMNS_AT_ONCE]
                found.append(self._file.read_row_group(number, columns=some, use_threads=False))
        columns_of = {name: table[name] for table in found for name in table.column_names}
        return pyarrow.table({name: columns_of[name] for name in chosen})

    def read(self, columns: Sequence[str]) -> pyarrow.Table:
        """All rows of these columns."""
        self._require(columns)
        with reading(self.path):
            return self._file.read(columns=list(columns), use_threads=False)

    def facts(self) -> tuple[StoreFacts, list[str]]:
        """The facts with which the part was written, and the names of the parts in whose place it is."""
        found = (self._file.schema_arrow.metadata or {}).get(FACTS.encode())
        if found is None:
            raise InputError(f"{self.path}: does not hold the facts of its run; it is no part of a store of scores")
        try:
            return _facts(found)
        except (InputError, ValueError) as error:
            raise InputError(f"{self.path}: does not hold the facts of its run ({error})") from error

    def _require(self, columns: Sequence[str]) -> None:
        if missing := [name for name in columns if name not in self._names]:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise InputError(
                f"{self.path}: this part of the store has no column {missing[0]!r}{more}; restore the file as cedtag "
                "wrote it"
            )


@lru_cache(maxsize=8)
def _facts(found: bytes) -> tuple[StoreFacts, list[str]]:
    """The facts in the metadata of a part, which are the same in most."""
    record = json.loads(found)
    return facts_from_dict("its metadata", record), list(record.get("instead_of", ()))


def read_recordings(part: PartFile) -> list[dict[str, Any]]:
    """The outcomes in a part, as the values of `RECORDING_COLUMNS`."""
    rows: list[dict[str, Any]] = part.read(list(RECORDING_COLUMNS)).to_pylist()
    return rows
