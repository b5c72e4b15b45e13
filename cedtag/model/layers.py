"""The layers of CED's encoder: attention, feed-forward, blocks, patches.

Parameters have the names of the Hub's checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from cedtag.model.config import CedConfig

ENCODER_NORM_EPS = 1e-6


class Linear(nn.Linear):
    """Skips default initialisation; weights come from a checkpoint or `initialise`."""

    def reset_parameters(self) -> None:
        pass


class Attention(nn.Module):
    def __init__(self, config: CedConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.drop_rate = config.attn_drop_rate
        self.qkv = Linear(config.embed_dim, 3 * config.embed_dim, bias=config.qkv_bias)
        self.proj = Linear(config.embed_dim, config.embed_dim)
        self.proj_drop = nn.Dropout(config.drop_rate)

    def forward(self, tokens: Tensor) -> Tensor:
        merged: Tensor = self.proj_drop(self.proj(self.mix(tokens)))
        return merged

    def mix(self, tokens: Tensor) -> Tensor:
        """The attention-weighted values for each token `(batch, length, dim)`, heads side by side."""
        batch, length, _ = tokens.shape
        qkv = self.qkv(tokens).view(batch, length, 3, self.num_heads, -1)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)  # each (batch, heads, length, dim / heads)
        dropout = self.drop_rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
        return mixed.transpose(1, 2).flatten(2)


class FeedForward(nn.Module):
    def __init__(self, config: CedConfig) -> None:
        super().__init__()
        self.fc1 = Linear(config.embed_dim, config.hidden_dim)
        self.fc2 = Linear(config.hidden_dim, config.embed_dim)
        self.drop = nn.Dropout(config.drop_rate)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.drop(F.gelu(self.fc1(tokens)))
        mapped: Tensor = self.drop(self.fc2(hidden))
        return mapped


class DropPath(nn.Module):
    """In training, leaves out a whole residual branch for some clips of the batch."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return branch
        kept = torch.rand(len(branch), 1, 1, device=branch.device) >= self.rate
        return branch * kept / (1 - self.rate)


class Block(nn.Module):
    def __init__(self, config: CedConfig, drop_path_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=ENCODER_NORM_EPS)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=ENCODER_NORM_EPS)
        self.mlp = FeedForward(config)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        residual: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return residual

    def update_(self, tokens: Tensor) -> None:
        """The same as `forward` in evaluation, in place in `tokens`, which is contiguous.

        Matrix products add to the tokens, and GELU overwrites its input: on a CPU, passes over memory are the largest
        cost beside the products.
        """
        _add_linear_(tokens, self.attn.proj, self.attn.mix(self.norm1(tokens)))
        hidden = self.mlp.fc1(self.norm2(tokens))
        _add_linear_(tokens, self.mlp.fc2, torch.ops.aten.gelu_.default(hidden))


def _add_linear_(tokens: Tensor, linear: Linear, inputs: Tensor) -> None:
    """Add the output of a linear layer for `inputs` `(batch, length, n)` to `tokens` `(batch, length, dim)`."""
    rows = tokens.view(-1, tokens.shape[-1])  # a reshape might copy, and the sum would be lost
    rows.add_(linear.bias).addmm_(inputs.flatten(0, 1), linear.weight.T)


class PatchEmbedding(nn.Module):
    def __init__(self, config: CedConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, config.embed_dim, kernel_size=config.patch_size, stride=config.patch_size)

    def forward(self, features: Tensor) -> Tensor:
        """Patches `(batch, dim, rows, columns)` of `(batch, n_mels, frames)`; frames that fill no patch are unused."""
        patches: Tensor = self.proj(features.unsqueeze(1))
        return patches
