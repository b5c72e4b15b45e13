"""How wrong logits `(clips, classes)` are; each loss is one number, lower is better."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]


def binary(logits: Tensor, targets: Tensor) -> Tensor:
    """Every class on its own: any number of them may be heard. `targets` in [0, 1]."""
    return functional.binary_cross_entropy_with_logits(logits, targets)


def categorical(logits: Tensor, targets: Tensor) -> Tensor:
    """One class against the others; `targets` sum to 1 in every row."""
    return functional.cross_entropy(logits, targets)


LOSSES: dict[str, Loss] = {"bce": binary, "ce": categorical}


def answers(logits: Tensor, loss: str) -> Tensor:
    """The probabilities that a model trained with this loss means."""
    return logits.sigmoid() if loss == "bce" else logits.softmax(-1)


def distilled(logits: Tensor, targets: Tensor, taught: Tensor, loss: Loss, weight: float) -> Tensor:
    """The truth and what teachers made of the very same input, the teachers with this weight."""
    return (1 - weight) * loss(logits, targets) + weight * loss(logits, taught)


def hinted(guessed: Tensor, seen: Tensor) -> Tensor:
    """The mean squared error of what a model guesses that its teacher sees, place by place.

    `guessed` and `seen` are `(clips, channels, rows, columns)`; what is seen is normalised over the channels of each
    place. Such hints (FitNets, arXiv 1412.6550) say much more about a clip than its label does.
    """
    wanted = functional.layer_norm(seen.movedim(1, -1), seen.shape[1:2])
    return functional.mse_loss(guessed.movedim(1, -1), wanted)
