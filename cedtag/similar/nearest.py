"""The windows of a store that are nearest to examples: found in single precision, and ranked in double.

Two sounds are as similar as the cosine of the angle between their embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import InputError
from cedtag.store.schema import EMBEDDING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cedtag.store.column import EmbeddingColumn, Rows

    Matrix = NDArray[np.float64]

_ROWS_AT_ONCE = 4096  # their numbers stay in the processor's cache
_SIGN_AND_BITS = np.int32(-0x70000001)
_BIAS = np.float32(2.0**112)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What is looked for: `examples` `(m, d)`, and `others` `(p, d)`, which sound otherwise.

    The `num_best` windows are found, with `diverse` one of each recording. A window that is nearer to one of `others`
    than to any example is none. `left_out` are the places of windows that are examples themselves.
    """

    examples: Matrix
    others: Matrix
    num_best: int = 20
    diverse: bool = False
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The windows that were found, best first: their `rows`, `similarity` `(n,)` and the nearest `example` `(n,)`."""

    rows: Rows
    similarity: NDArray[np.float64]
    example: NDArray[np.int64]


def nearest(column: EmbeddingColumn, wanted: Wanted, listing: NDArray[np.int64]) -> Nearest:
    """The nearest windows, exactly as all similarities in double precision rank them.

    Of equally similar ones the first in the order of recordings `listing`, ids, counts, and then of time.
    """
    candidates = np.flatnonzero(_may_be_among(column, wanted))
    rows, similarity, example = _ranked_exactly(column, candidates, wanted)
    by_id = np.argsort(listing)
    rank = by_id[np.searchsorted(listing, rows["id"], sorter=by_id)]
    order = np.lexsort((rows["channel"], rows["start"], rank, -similarity))
    if wanted.diverse:
        _, first = np.unique(rank[order], return_index=True)
        order = order[np.sort(first)]
    order = order[: wanted.num_best]
    return Nearest(rows[order], similarity[order], example[order])


def similarities(embeddings: Matrix, lengths: NDArray[np.float64], examples: Matrix) -> Matrix:
    """The similarities `(n, m)` of embeddings `(n, d)` of these lengths with examples `(m, d)` of length 1.

    That of an embedding of length 0 is 0. Each number depends on its own row and example alone.
    """
    products = np.stack([(embeddings * example).sum(1) for example in examples], 1)
    return np.asarray(np.divide(products, lengths[:, None], out=np.zeros_like(products), where=lengths[:, None] > 0))


def directions(embeddings: Matrix) -> Matrix:
    """Embeddings `(m, d)` as vectors of length 1; InputError for one that has no direction."""
    lengths = np.sqrt(np.square(embeddings).sum(1, keepdims=True))
    if not np.isfinite(embeddings).all() or not lengths.all():
        raise InputError("the embedding of an example has no direction; choose another example")
    return np.asarray(embeddings / lengths)


def _ranked_exactly(
    column: EmbeddingColumn, candidates: NDArray[np.int64], wanted: Wanted
) -> tuple[Rows, NDArray[np.float64], NDArray[np.int64]]:
    """The candidates that are not nearer to one of the others: rows, best similarity, and the example it is with."""
    kept: list[tuple[Rows, NDArray[np.float64], NDArray[np.int64]]] = []
    for start in range(0, max(1, len(candidates)), _ROWS_AT_ONCE):
        rows = column.rows(candidates[start : start + _ROWS_AT_ONCE])
        embeddings = rows[EMBEDDING].astype(np.float64)
        found = similarities(embeddings, rows["length"], wanted.examples)
        best = found.max(1)
        is_wanted = np.ones(len(rows), bool)
        if len(wanted.others):
            is_wanted = best > similarities(embeddings, rows["length"], wanted.others).max(1)
        kept.append((rows[is_wanted], best[is_wanted], found.argmax(1)[is_wanted]))
    rows, best, example = (np.concatenate(pieces) for pieces in zip(*kept, strict=True))
    return rows, best, example


def _may_be_among(column: EmbeddingColumn, wanted: Wanted) -> NDArray[np.bool_]:
    """Which windows may be among the best, whatever single precision has rounded."""
    best, others = _approximate(column, wanted)
    # Of a sum of d products of numbers of unit length: d roundings, and a few for the lengths.
    bound = (column.size + 16) * 2.0**-24
    may_be = np.ones(len(column), bool)
    sure = np.ones(len(column), bool)
    for mask in (may_be, sure):
        mask[list(wanted.left_out)] = False
    if others is not None:
        may_be &= best + bound >= others - bound
        sure &= best - bound > others + bound
    return np.asarray(may_be & (best >= _least(column, best, sure, wanted) - 2 * bound))


def _least(column: EmbeddingColumn, best: NDArray[np.float32], sure: NDArray[np.bool_], wanted: Wanted) -> float:
    """What the last of the best has at least, before rounding; minus infinity where there are fewer."""
    values = best[sure]
    if wanted.diverse and len(values):
        ids = np.concatenate([rows["id"] for rows in column.parts])[sure]
        order = np.argsort(ids, kind="stable")
        firsts = np.flatnonzero(np.diff(ids[order], prepend=ids[order][0] - 1))
        values = np.maximum.reduceat(values[order], firsts)
    if len(values) < wanted.num_best:
        return -np.inf
    return float(np.partition(values, len(values) - wanted.num_best)[len(values) - wanted.num_best])


def _approximate(column: EmbeddingColumn, wanted: Wanted) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The best similarity of each window with an example, and with one of the others, in single precision."""
    queries = np.concatenate([wanted.examples, wanted.others]).T.astype(np.float32)
    best = np.empty(len(column), np.float32)
    others = np.empty(len(column), np.float32) if len(wanted.others) else None
    for part, first in zip(column.parts, column.starts, strict=False):
        with np.errstate(divide="ignore"):
            inverse = np.where(part["length"] > 0, 1 / part["length"], 0).astype(np.float32)
        for start, products in _products(part[EMBEDDING], queries):
            rows = slice(first + start, first + start + len(products))
            products *= inverse[start : start + len(products), None]
            best[rows] = products[:, : len(wanted.examples)].max(1)
            if others is not None:
                others[rows] = products[:, len(wanted.examples) :].max(1)
    return best, others


def _products(
    embeddings: NDArray[np.float16], queries: NDArray[np.float32]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The products `(rows, m)` of a few rows at a time with queries `(d, m)`, and where each block begins.

    Half precision becomes single by moving its bits, which leaves a factor of 2^112 to the queries: NumPy's own way
    converts one number at a time, and takes several times as long.
    """
    bits = np.empty((_ROWS_AT_ONCE, embeddings.shape[1]), np.int32)
    scaled = queries * _BIAS
    words = embeddings.view(np.int16)
    for start in range(0, len(words), _ROWS_AT_ONCE):
        block = words[start : start + _ROWS_AT_ONCE]
        wide = bits[: len(block)]
        np.copyto(wide, block)
        wide <<= 13
        wide &= _SIGN_AND_BITS
        yield start, wide.view(np.float32) @ scaled
