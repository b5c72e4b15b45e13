"""Which recordings of a store count, and the order in which `cedtag tag` lists them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow
from pyarrow import compute

from cedtag.audio.members import BETWEEN
from cedtag.writers import from_storable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows: TypeAlias = "NDArray[np.int64]"

COLUMNS = ("id", "recording", "path", "root", "at", "windows", "first_row", "replaces", "status", "samples")


def live_rows(table: pyarrow.Table) -> tuple[Rows, Rows]:
    """The rows of the latest outcomes, and beside each the row that knows where its windows are; -1 for none.

    `table` has the `COLUMNS` of all parts, older ones first. The latest outcome of a place counts; one that is stated
    anew has the id of the one before, and no windows of its own.
    """
    ids = table["id"].to_numpy()
    latest = _last_of_each(_places(table))
    replaced = table["replaces"].drop_null().to_numpy()
    latest = latest[~np.isin(ids[latest], replaced)]
    with_rows = np.flatnonzero(table["first_row"].is_valid().to_numpy(zero_copy_only=False))
    by_id = with_rows[np.argsort(ids[with_rows], kind="stable")]
    found = np.searchsorted(ids[by_id], ids[latest], "right") - 1
    known = found >= 0
    known[known] = ids[by_id[found[known]]] == ids[latest[known]]
    located = np.where(known, by_id[np.maximum(found, 0)] if len(by_id) else -1, -1)
    return latest.astype(np.int64), located.astype(np.int64)


def in_listing_order(table: pyarrow.Table, rows: Rows) -> Rows:
    """The order of these rows of `table` that a run over all of them has.

    Inputs come in the order in which they were first met, and the recordings of a folder in the byte order of their
    paths. Files that were named one by one, and those in an archive, come as they were met, as far as the order of
    parts tells.
    """
    roots = table["root"].combine_chunks().dictionary_encode()
    codes = roots.indices.to_numpy()
    if not len(codes):
        return rows
    _, first_of_root = np.unique(codes, return_index=True)
    may_be_file = np.array([set(root) <= set("./") for root in roots.dictionary.to_pylist()])[codes]
    joined = compute.binary_join_element_wise(table["root"], table["path"], "")
    is_file = may_be_file & compute.equal(joined, table["recording"]).to_numpy()
    places = _places(table)
    _, first_of_place = np.unique(places, return_index=True)
    rank = np.where(is_file, first_of_place[places], first_of_root[codes])
    in_archive = np.array([(root or "").endswith(BETWEEN) for root in roots.dictionary.to_pylist()])[codes]
    place = np.where(in_archive, first_of_place[places], 0)
    paths = _path_bytes(table["path"].take(pyarrow.array(rows)))
    keys = pyarrow.table({"rank": rank[rows], "place": place[rows], "path": paths})
    order = compute.sort_indices(keys, [(name, "ascending") for name in keys.column_names]).to_numpy()
    ordered: Rows = rows[order]
    return ordered


def _places(table: pyarrow.Table) -> NDArray[np.int32]:
    """A number for each place: the absolute path, or the name where that is not known."""
    place = compute.if_else(compute.equal(table["at"], ""), table["recording"], table["at"])
    codes: NDArray[np.int32] = place.combine_chunks().dictionary_encode().indices.to_numpy()
    return codes


def _path_bytes(paths: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Paths as the bytes that the file system has."""
    if not compute.any(compute.match_substring(paths, "\\")).as_py():
        return paths.cast(pyarrow.binary())
    return pyarrow.chunked_array([[os.fsencode(from_storable(path)) for path in paths.to_pylist()]], pyarrow.binary())


def _last_of_each(codes: NDArray[np.int32]) -> Rows:
    """The last place of each code, in the order of places."""
    _, from_behind = np.unique(codes[::-1], return_index=True)
    return np.sort(len(codes) - 1 - from_behind).astype(np.int64)
