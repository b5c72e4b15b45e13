"""What is found is what all similarities in double precision rank first, from a cache that is never out of date."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.similar.nearest import Nearest, Wanted, directions, nearest, similarities
from cedtag.store import open_store
from cedtag.store.column import CACHE, EmbeddingColumn, column_type, open_column
from cedtag.store.write import open_store_writer
from tests.stores import FACTS, ended, make_store, source, windows

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = np.empty((0, 8))


def column_of(embeddings: np.ndarray, ids: np.ndarray, num_parts: int) -> EmbeddingColumn:
    rows = np.zeros(len(embeddings), column_type(embeddings.shape[1]))
    rows["embedding"], rows["id"] = embeddings, ids
    rows["start"] = np.arange(len(rows))
    rows["length"] = np.sqrt(np.square(rows["embedding"], dtype=np.float64).sum(1))
    return EmbeddingColumn(np.array_split(rows, num_parts), embeddings.shape[1])


def by_brute_force(column: EmbeddingColumn, wanted: Wanted, listing: np.ndarray) -> list[tuple[int, int, float]]:
    """Id, start and similarity of the best, from all similarities in float64."""
    rows = np.concatenate(column.parts)
    vectors = rows["embedding"].astype(np.float64)
    best = similarities(vectors, rows["length"], wanted.examples).max(1)
    keep = np.ones(len(rows), bool)
    keep[list(wanted.left_out)] = False
    if len(wanted.others):
        keep &= best > similarities(vectors, rows["length"], wanted.others).max(1)
    place = {one: number for number, one in enumerate(listing.tolist())}
    ranked = sorted(
        (-best[n], place[int(rows["id"][n])], int(rows["start"][n]), int(rows["id"][n])) for n in np.flatnonzero(keep)
    )
    found, seen = [], set()
    for similarity, _, start, one in ranked:
        if not (wanted.diverse and one in seen):
            found.append((one, start, -similarity))
            seen.add(one)
    return found[: wanted.num_best]


def listed(found: Nearest) -> list[tuple[int, int, float]]:
    rows = found.rows
    return list(zip(rows["id"].tolist(), rows["start"].tolist(), found.similarity.tolist(), strict=True))


@given(
    seed=st.integers(0, 10_000),
    num=st.integers(1, 300),
    best=st.integers(1, 40),
    others=st.integers(0, 2),
    diverse=st.booleans(),
    levels=st.sampled_from([1, 2, 1000]),
)
def test_the_best_are_those_of_brute_force_in_float64_also_where_many_are_equal(
    seed, num, best, others, diverse, levels
):
    rng = np.random.default_rng(seed)
    # Few levels make equal embeddings, and some of length zero.
    embeddings = (rng.integers(-levels, levels + 1, (num, 8)) / levels).astype(np.float16)
    listing = rng.permutation(12).astype(np.int64)
    column = column_of(embeddings, rng.integers(0, 12, num), int(rng.integers(1, 4)))
    examples = directions(rng.standard_normal((2, 8)))
    left_out = tuple(rng.integers(0, num, 2).tolist())
    wanted = Wanted(examples, directions(rng.standard_normal((others, 8))), best, diverse, left_out)
    assert listed(nearest(column, wanted, listing)) == by_brute_force(column, wanted, listing)


def test_neighbours_that_single_precision_cannot_tell_apart_are_ranked_by_double():
    rng = np.random.default_rng(1)
    base = rng.standard_normal(192).astype(np.float16)
    embeddings = np.tile(base, (5000, 1))
    words = embeddings.view(np.int16)
    words[np.arange(5000), rng.integers(0, 192, 5000)] += rng.integers(0, 2, 5000, dtype=np.int16)  # the last bit
    column = column_of(embeddings, np.zeros(5000, np.int64), 3)
    wanted = Wanted(directions(base[None].astype(np.float64) + 1e-3), np.empty((0, 192)), 50)
    listing = np.zeros(1, np.int64)
    assert listed(nearest(column, wanted, listing)) == by_brute_force(column, wanted, listing)


def test_an_example_without_a_direction_is_refused():
    with pytest.raises(InputError, match="no direction"):
        directions(np.zeros((1, 8)))


@pytest.fixture
def store(tmp_path) -> Path:
    make_store(tmp_path / "store", {"a.wav": 3, "b.wav": 4, "broken.wav": "damaged", "c.wav": 2}, parts=2)
    return tmp_path / "store"


def in_column(path: Path) -> list[tuple[int, int, list[float]]]:
    with open_column(open_store(path)) as column:
        rows = np.concatenate(column.parts) if column.parts else []
        return sorted((int(row["id"]), int(row["start"]), row["embedding"].tolist()) for row in rows)


def in_parts(path: Path) -> list[tuple[int, int, list[float]]]:
    return sorted(
        (one, start, embedding)
        for block in open_store(path).blocks()
        for one, start, embedding in zip(
            block.ids.tolist(), block.start.tolist(), block.embeddings.tolist(), strict=True
        )
    )


def cached(path: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in (path / CACHE).iterdir()}


def test_the_cache_holds_what_the_parts_hold_and_is_made_once(store):
    assert in_column(store) == in_parts(store)
    before = cached(store)
    assert in_column(store) == in_parts(store)
    assert cached(store) == before
    assert len(before) == 2


def test_a_new_part_is_added_to_the_cache_and_the_others_stay(store):
    in_column(store)
    before = cached(store)
    make_store(store, {"d.wav": 5})
    assert in_column(store) == in_parts(store)
    assert before.items() <= cached(store).items()
    assert len(cached(store)) == 3


def test_a_recording_that_was_done_again_counts_once(store):
    writer = open_store_writer(store, FACTS)
    changed = source("b.wav")
    for window in windows(changed, 2, seed=5):
        writer.add(window)
    writer.end(ended(changed, 2))
    writer.finish_part()
    writer.close()
    assert in_column(store) == in_parts(store)
    assert len(in_column(store)) == open_store(store).num_windows


def test_parts_that_are_gone_leave_the_cache(store):
    in_column(store)
    for table in ("windows", "recordings"):
        sorted((store / table).iterdir())[0].unlink()
    assert in_column(store) == in_parts(store)
    assert len(cached(store)) == 1


def test_damage_to_the_cache_is_mended_from_the_parts(store):
    expected = in_column(store)
    for file, content in zip((store / CACHE).iterdir(), (b"", b"\x93NUMPY\x01\x00 torn"), strict=True):
        file.write_bytes(content)
    assert in_column(store) == expected
    shutil.rmtree(store / CACHE)
    assert in_column(store) == expected


def test_a_store_that_cannot_be_written_is_read_all_the_same(store):
    (store / CACHE).write_text("in the way of the folder")
    assert in_column(store) == in_parts(store)


def test_a_store_without_embeddings_says_how_to_get_them(tmp_path):
    make_store(tmp_path / "store", {"a.wav": 1}, replace(FACTS, embedding_size=None))
    with pytest.raises(InputError, match="no embeddings; tag again into a new store, without --no-embeddings"):
        in_column(tmp_path / "store")
