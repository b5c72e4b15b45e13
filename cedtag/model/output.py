"""The output of the tagger."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, SupportsIndex, overload

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMES = ("loss", "logits", "last_hidden_state")


class CedOutput(tuple[Tensor, ...]):
    """`(logits, last_hidden_state)`, or `(loss, logits, last_hidden_state)` if there were labels.

    `logits` `(batch, classes)` are real numbers; 0 is a probability of one half. `last_hidden_state`
    `(batch, tokens, dim)` holds the encoder's tokens, those of one mel band after another, each in order of time.
    `loss` `()` is the mean (binary) cross-entropy in nats.

    As with the outputs of transformers, `out.logits`, `out["logits"]`, `out[0]`, `"loss" in out` and `dict(out)` work.
    """

    # A tuple that any iterable of two or three tensors makes: torch.export, tracing and DataParallel take outputs apart
    # and build them again, which they cannot do with a dataclass.
    __slots__ = ()

    @property
    def logits(self) -> Tensor:
        return self[-2]

    @property
    def last_hidden_state(self) -> Tensor:
        return self[-1]

    @property
    def loss(self) -> Tensor | None:
        return self[0] if "loss" in self else None

    @property
    def probabilities(self) -> Tensor:
        """The sigmoid of the logits, `(batch, classes)` float32 in [0, 1]; sounds overlap, so rows do not sum to 1."""
        return torch.sigmoid(self.logits.float())

    def keys(self) -> tuple[str, ...]:
        """The names of what the tuple holds, in its order."""
        return _NAMES[-len(self) :]

    def to_tuple(self) -> tuple[Tensor, ...]:
        """The same as a plain tuple."""
        return tuple(self)

    @overload
    def __getitem__(self, key: SupportsIndex | str, /) -> Tensor: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[Tensor, ...]: ...
    def __getitem__(self, key: SupportsIndex | slice | str, /) -> Tensor | tuple[Tensor, ...]:
        if isinstance(key, str):
            if key not in self:
                raise KeyError(key)
            return super().__getitem__(self.keys().index(key))
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={self[name]!r}' for name in self.keys())})"


class SingleLabelOutput(CedOutput):
    """The output of a model whose clips have one class each."""

    __slots__ = ()

    @property
    def probabilities(self) -> Tensor:
        """The softmax of the logits, `(batch, classes)` float32 in [0, 1]; every row sums to 1."""
        return torch.softmax(self.logits.float(), -1)


def _flatten(output: CedOutput) -> tuple[list[Tensor], None]:
    return list(output), None


def _unflatten(kind: type[CedOutput], tensors: Iterable[Tensor], _: None) -> CedOutput:
    return kind(tensors)


# The module is private, but torch has no other way for a class that is no dataclass; transformers uses it too.
for _kind in (CedOutput, SingleLabelOutput):
    pytree.register_pytree_node(
        _kind, _flatten, partial(_unflatten, _kind), serialized_type_name=f"cedtag.{_kind.__name__}"
    )
