"""Which recordings of a store count, and where their windows are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow
from pyarrow import compute

from cedtag.errors import InputError
from cedtag.store.listing import COLUMNS, in_listing_order, live_rows
from cedtag.store.parts import PartFile
from cedtag.store.schema import RECORDINGS
from cedtag.system.part_folder import parts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from cedtag.store.facts import StoreFacts


class Entry(NamedTuple):
    """A recording that counts: its id and outcome, and where its windows are."""

    id: int
    part: int
    row: int
    at_part: int
    at_row: int
    first_row: int
    num_windows: int


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Which recordings count, in listing order, in about 60 bytes each; `ids` are sorted, and `by_id` their places."""

    names: list[str]
    num_rows: list[int]
    entries: NDArray[np.void]
    ids: NDArray[np.int64]
    by_id: NDArray[np.int64]
    makers: list[Mapping[str, Any]]
    num_by_status: Mapping[str, int]
    num_samples: int

    @property
    def has_dead(self) -> bool:
        """Whether parts hold windows that do not count any more."""
        return sum(self.num_rows) > int(self.entries["num_windows"].sum())


_NUMBERS = [(name, "i4") for name in ("part", "row", "at_part", "at_row", "num_windows")]
_ENTRY = np.dtype([("id", "i8"), *_NUMBERS[:-1], ("first_row", "i8"), _NUMBERS[-1]])


def index_of(path: Path, facts: StoreFacts) -> Index:
    files = part_files(path, facts)
    tables = [file.read(COLUMNS) for file in files]
    names = [file.path.stem for file in files]
    makers = _makers(files, facts)
    if not tables:
        empty = np.zeros(0, np.int64)
        return Index([], [], np.zeros(0, _ENTRY), empty, empty, makers, {}, 0)
    table = pyarrow.concat_tables(tables)
    sizes = [len(one) for one in tables]
    part = np.repeat(np.arange(len(sizes)), sizes)
    row = np.concatenate([np.arange(size) for size in sizes])
    latest, located = live_rows(table)
    of_row = dict(zip(latest.tolist(), located.tolist(), strict=True)) if len(latest) else {}
    order = in_listing_order(table, latest)
    where = np.array([of_row[one] for one in order.tolist()], np.int64)
    entries = np.zeros(len(order), _ENTRY)
    entries["id"], entries["part"], entries["row"] = table["id"].to_numpy()[order], part[order], row[order]
    entries["at_part"] = np.where(where < 0, -1, part[where])
    entries["at_row"] = np.where(where < 0, -1, row[where])
    entries["first_row"] = np.where(where < 0, 0, table["first_row"].fill_null(0).to_numpy()[where])
    entries["num_windows"] = np.where(where < 0, 0, table["windows"].to_numpy()[where])
    by_id = np.argsort(entries["id"], kind="stable")
    placed = table["first_row"].is_valid().to_numpy(zero_copy_only=False)
    rows = np.bincount(part, np.where(placed, table["windows"].to_numpy(), 0), len(sizes)).astype(np.int64)
    counting = table.select(["status", "samples"]).take(pyarrow.array(latest))
    num_by_status = Counter(counting["status"].to_pylist())
    num_samples = compute.sum(counting["samples"]).as_py() or 0
    return Index(names, rows.tolist(), entries, entries["id"][by_id], by_id, makers, num_by_status, num_samples)


def part_files(path: Path, facts: StoreFacts) -> list[PartFile]:
    """The parts of outcomes that count, older ones first; InputError for one that another model or run made."""
    files = [PartFile(part) for part in parts_of(path, RECORDINGS)]
    gone: set[str] = set()
    same = None
    for file in files:
        own, instead_of = file.facts()
        gone.update(instead_of)
        if own is not same and (changed := facts.differences(own)):
            raise InputError(
                f"{file.path}: this part is of a store with other settings than {path} ({'; '.join(changed)}); move it "
                "into a store of its own"
            )
        same = own
    return [file for file in files if file.path.stem not in gone]


def _makers(files: Sequence[PartFile], facts: StoreFacts) -> list[Mapping[str, Any]]:
    makers: list[Mapping[str, Any]] = []
    for own in [facts, *(file.facts()[0] for file in files)]:
        if own.written_by not in makers:
            makers.append(own.written_by)
    return makers
