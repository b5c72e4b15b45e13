"""The batches of an epoch, through a DataLoader: each is drawn from a random seed of its own, whoever prepares it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from cedtag.training.settings import Recipe

Batch = tuple[Tensor, Tensor]


class Feed(Protocol):
    """Clips, by whose indices batches are made."""

    def __len__(self) -> int: ...

    def lengths(self) -> NDArray[np.int64]:
        """The length `(clips,)` of each clip's features: a batch holds clips of one length."""

    def sampling_weights(self) -> NDArray[np.float64]:
        """The probability `(clips,)` to sample each clip in a training that balances."""

    def batch(self, indices: Sequence[int], epoch: int, rng: Generator) -> Batch:
        """Features `(clips, mels, frames)` and targets `(clips, classes)`; equal arguments give equal ones."""


def batches(feed: Feed, recipe: Recipe, epoch: int) -> Iterator[Batch]:
    """The batches of an epoch, with all clips of the feed: those of one length in random order."""
    order = _RandomOrder(feed, recipe, epoch)
    loader: DataLoader[Batch] = DataLoader(_Batches(feed, recipe, epoch), sampler=order, batch_size=None)
    return iter(loader)


def num_batches(feed: Feed, recipe: Recipe) -> int:
    """The number of batches, which are steps, in an epoch; with balance clips must have one length."""
    _, counts = np.unique(feed.lengths(), return_counts=True)
    return sum(math.ceil(count / recipe.batch_size) for count in counts)


class _RandomOrder(Sampler[tuple[int, list[int]]]):
    """The number of each batch and the indices of its clips; the last of each length may hold fewer."""

    def __init__(self, feed: Feed, recipe: Recipe, epoch: int) -> None:
        self._feed, self._recipe, self._epoch = feed, recipe, epoch

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        recipe, count, lengths = self._recipe, len(self._feed), self._feed.lengths()
        rng = np.random.default_rng([recipe.seed, self._epoch])
        weights = self._feed.sampling_weights() if recipe.balance else None
        order = rng.permutation(count) if weights is None else rng.choice(count, count, p=weights)
        groups = [order[lengths[order] == length] for length in np.unique(lengths)]
        size = recipe.batch_size
        batches = [group[start : start + size] for group in groups for start in range(0, len(group), size)]
        for number, place in enumerate(rng.permutation(len(batches))):
            yield number, batches[place].tolist()


@dataclass(frozen=True, slots=True)
class _Batches(Dataset[Batch]):
    feed: Feed
    recipe: Recipe
    epoch: int

    def __getitem__(self, item: tuple[int, list[int]]) -> Batch:
        number, indices = item
        return self.feed.batch(indices, self.epoch, np.random.default_rng([self.recipe.seed, self.epoch, number]))
