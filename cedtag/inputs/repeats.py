"""Which recordings of a run were found before, in some 20 bytes each."""

from __future__ import annotations

from array import array
from hashlib import blake2b

_FIRST_SIZE = 1 << 10  # a power of two


class SeenPlaces:
    """A set of places. It keeps hashes of 64 bits: two places in a million share one once in 40 million archives."""

    def __init__(self) -> None:
        self._table = array("Q", [0]) * _FIRST_SIZE  # 0 marks a slot that is free
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, place: str) -> bool:
        """Whether the place is new."""
        key = _key(place)
        slot = _slot(self._table, key)
        if self._table[slot]:
            return False
        self._table[slot] = key
        self._count += 1
        if 3 * self._count > 2 * len(self._table):
            self._grow()
        return True

    def _grow(self) -> None:
        larger = array("Q", [0]) * (2 * len(self._table))
        for key in self._table:
            if key:
                larger[_slot(larger, key)] = key
        self._table = larger


def _slot(table: array[int], key: int) -> int:
    """The slot that holds a key, or the free one that it gets."""
    last = len(table) - 1
    slot = key & last
    while table[slot] not in (0, key):
        slot = (slot + 1) & last
    return slot


def _key(place: str) -> int:
    digest = blake2b(place.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1
