"""Losses of logits `(clips, classes)`: one number each, lower is better."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from cedtag.model.config import MULTI_LABEL, SINGLE_LABEL

Loss = Callable[[Tensor, Tensor], Tensor]


def binary(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy: each class by itself, any number of them at once. `targets` are in [0, 1]."""
    return functional.binary_cross_entropy_with_logits(logits, targets)


def categorical(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy: one class against all others. `targets` sum to 1 in each row."""
    return functional.cross_entropy(logits, targets)


LOSSES: dict[str, Loss] = {"bce": binary, "ce": categorical}
PROBLEM_TYPES = {"bce": MULTI_LABEL, "ce": SINGLE_LABEL}  # by which a checkpoint says what its scores are


def posteriors(logits: Tensor, loss: str) -> Tensor:
    """Posteriors: sigmoid for BCE, softmax for cross-entropy."""
    return logits.sigmoid() if loss == "bce" else logits.softmax(-1)


def distillation_loss(logits: Tensor, targets: Tensor, teacher_posteriors: Tensor, loss: Loss, weight: float) -> Tensor:
    """The loss against the labels and the loss against teachers on the same input, which has this weight in [0, 1]."""
    return (1 - weight) * loss(logits, targets) + weight * loss(logits, teacher_posteriors)


def hint_loss(student_map: Tensor, teacher_map: Tensor) -> Tensor:
    """The mean squared error of a student's map `(clips, channels, rows, columns)` against its teacher's.

    The teacher's map is normalised over the channels of each place. Such hints (FitNets, arXiv 1412.6550) hold far more
    about a clip than its label does.
    """
    normalised = functional.layer_norm(teacher_map.movedim(1, -1), teacher_map.shape[1:2])
    return functional.mse_loss(student_map.movedim(1, -1), normalised)
