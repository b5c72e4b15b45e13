"""Which windows of a store would teach a class most: those that it is least sure of, from different recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def least_sure(
    probabilities: NDArray[np.floating], ids: NDArray[np.int64], number: int, answered: Sequence[int] = ()
) -> NDArray[np.int64]:
    """The places of so many windows whose probabilities `(n,)` are nearest to one half: margin sampling.

    The nearest of each recording come first, then the second nearest of each, and so on; `answered` are left out.
    """
    margin = np.abs(np.asarray(probabilities, np.float64) - 0.5)
    margin[list(answered)] = np.inf
    order = np.lexsort((margin, ids))
    firsts = np.flatnonzero(np.diff(ids[order], prepend=ids[order[:1]] - 1))
    turn = np.empty(len(ids), np.int64)
    turn[order] = np.arange(len(ids)) - np.repeat(firsts, np.diff(firsts, append=len(ids)))
    chosen = np.lexsort((np.arange(len(ids)), margin, turn))
    return np.asarray(chosen[np.isfinite(margin[chosen])][:number])
