"""An encoder's block for scoring on a CPU that multiplies bf16 numbers: oneDNN's products of packed weights.

The tokens, to which every block adds, stay in fp32, and so do layer norms and all sums. What products take and give is
rounded to bf16.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from cedtag.model.encoder import Encoder
    from cedtag.model.layers import Block, Linear

# Between these, the sum of a query's weights has lost nothing: bf16 reaches from 1e-38 to 3e38, as fp32 does.
_LEAST_SUM, _LARGEST_SUM = 1e-30, 1e30


def compute_in_bf16(encoder: Encoder, batch_size: int) -> None:
    """Replace an encoder's blocks by ones that compute in bf16, fastest for `batch_size` windows of full length."""
    rows, columns = encoder.plain_config.grid_size
    blocks = (cast("Block", block) for block in encoder.blocks)
    encoder.blocks = nn.Sequential(*(Bf16Block(block, batch_size * rows * columns) for block in blocks))
    encoder.in_place = True


class PackedLinear:
    """A linear layer in bf16, whose weights lie in memory as the product of `rows` rows reads them fastest."""

    def __init__(self, weight: Tensor, bias: Tensor | None, rows: int) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.bfloat16(), rows)
        self._bias = None if bias is None else bias.bfloat16()

    def __call__(self, inputs: Tensor, activation: str = "none") -> Tensor:
        """The output `(rows, m)` of inputs `(rows, n)`, after an activation that costs no pass over memory."""
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(
            inputs, self._weight, self._bias, activation, [], "none" if activation == "gelu" else ""
        )
        return outputs


class Bf16Block(nn.Module):
    """The same function as the `block` that it is made from, in evaluation."""

    @torch.no_grad()
    def __init__(self, block: Block, rows: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.num_heads = block.attn.num_heads
        self._qkv = PackedLinear(*_with_scaled_queries(block.attn.qkv, self.num_heads), rows)
        self._proj, self._fc1, self._fc2 = (
            PackedLinear(linear.weight, linear.bias, rows) for linear in (block.attn.proj, block.mlp.fc1, block.mlp.fc2)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        updated = tokens.clone(memory_format=torch.contiguous_format)
        self.update_(updated)
        return updated

    def update_(self, tokens: Tensor) -> None:
        """Replace tokens `(batch, length, dim)`, which are contiguous and fp32, by those after the block."""
        rows = tokens.view(-1, tokens.shape[-1])
        rows.add_(self._proj(self._mix(self._qkv(self.norm1(rows).bfloat16()), len(tokens))))
        rows.add_(self._fc2(self._fc1(self.norm2(rows).bfloat16(), "gelu")))

    def _mix(self, qkv: Tensor, batch: int) -> Tensor:
        """The attention-weighted values for each token, heads side by side, `(rows, dim)` of qkv `(rows, 3 * dim)`."""
        heads = qkv.view(batch, -1, 3, self.num_heads, qkv.shape[-1] // (3 * self.num_heads))
        queries, keys, values = heads.permute(2, 0, 3, 1, 4).contiguous().flatten(1, 2)
        mixed = attend(queries, keys, values).view(batch, self.num_heads, *values.shape[1:])
        return mixed.transpose(1, 2).reshape(len(qkv), -1)


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Values weighted by the softmax to base 2 of the products of queries and keys, all `(heads, length, n)`.

    The softmax of bf16 numbers takes as long as both products: it subtracts the largest product, so that no power
    overflows. Powers of products that are far from it need no subtraction, and the others are rare.
    """
    powers = torch.bmm(queries, keys.transpose(1, 2)).exp2_()
    sums = powers.sum(-1, keepdim=True, dtype=torch.float32)
    mixed = torch.bmm(powers, values).div_(sums)
    least, largest = sums.aminmax()
    if least > _LEAST_SUM and largest < _LARGEST_SUM:
        return mixed
    # Query by query, so that what is beside a window changes nothing in it.
    products = torch.bmm(queries, keys.transpose(1, 2)).float() * math.log(2)
    safe = torch.bmm(products.softmax(-1).to(values.dtype), values)
    return torch.where((sums > _LEAST_SUM) & (sums < _LARGEST_SUM), mixed, safe)


def _with_scaled_queries(qkv: Linear, num_heads: int) -> tuple[Tensor, Tensor | None]:
    """Weight and bias that give products for the softmax to base 2, scaled by the size of a head."""
    dim = qkv.in_features
    scale = torch.ones(3 * dim, 1)
    scale[:dim] = math.log2(math.e) / math.sqrt(dim // num_heads)
    return qkv.weight * scale, None if qkv.bias is None else qkv.bias * scale[:, 0]
