"""First weights of a new CED, with which a few hundred clips are enough to learn something.

Linear weights are uniform after Glorot, as in the first vision transformers (arXiv 2010.11929): from the usual narrow
normal distribution a CED of 128 dimensions took twice as many epochs to the same loss. Attention and positions begin
like those of trained transformers (mimetic initialisation, arXiv 2305.09828).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cedtag.model.layers import Attention, Linear

_VALUE_GAIN = 0.63  # its square, 0.4, is the share of an attended token that is subtracted
_POSITION_GAIN = 0.5


@torch.no_grad()
def initialise_layers(model: nn.Module) -> None:
    """Fill the weights of all linear and attention layers in `model`."""
    for module in model.modules():
        if isinstance(module, Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                module.bias.zero_()
    for module in model.modules():
        if isinstance(module, Attention):
            _initialise_attention(module)


@torch.no_grad()
def initialise_positions(time: Tensor, frequency: Tensor) -> None:
    """Fill position embeddings `(1, dim, 1, columns)` and `(1, dim, rows, 1)`, so that near places are alike.

    Waves along time fill one half of the dimensions, and waves along frequency the other.
    """
    dim, half = time.shape[1], time.shape[1] // 2
    time.zero_()
    frequency.zero_()
    time[0, :half, 0] = _waves(half, time.shape[3])
    frequency[0, half:, :, 0] = _waves(dim - half, frequency.shape[2])


def _initialise_attention(attention: Attention) -> None:
    """Let every token attend to those like it, and subtract a share of them."""
    queries, keys, values = attention.qkv.weight.chunk(3)
    nn.init.orthogonal_(queries)
    keys.copy_(queries)
    nn.init.orthogonal_(values, gain=_VALUE_GAIN)
    attention.proj.weight.copy_(-values.T)


def _waves(dim: int, length: int) -> Tensor:
    """Sines and cosines `(dim, length)` with periods from 2 pi to about the length."""
    periods = max(2.0, length) ** (-torch.arange(0, dim, 2) / dim)
    angles = periods[:, None] * torch.arange(length)
    return _POSITION_GAIN * torch.cat([angles.sin(), angles.cos()])[:dim]
