"""An encoder's block for scoring on a CPU: oneDNN's products of weights that are packed once, in fp32 or bf16.

In bf16, what products take and give is rounded; the tokens, to which every block adds, layer norms and sums stay fp32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from cedtag.model.encoder import Encoder
    from cedtag.model.layers import Block, Linear

# Between these, the sum of a query's weights has lost nothing: bf16 reaches from 1e-38 to 3e38, as fp32 does.
_LEAST_SUM, _LARGEST_SUM = 1e-30, 1e30


def pack_blocks(encoder: Encoder, batch_size: int, dtype: torch.dtype) -> None:
    """Replace an encoder's blocks by ones that compute in `dtype`, fastest for `batch_size` windows of full length."""
    rows, columns = encoder.plain_config.grid_size
    blocks = (cast("Block", block) for block in encoder.blocks)
    encoder.blocks = nn.Sequential(*(PackedBlock(block, batch_size * rows * columns, dtype) for block in blocks))
    encoder.in_place = True


class PackedLinear:
    """A linear layer whose weights lie in memory as the product of `rows` rows reads them fastest."""

    def __init__(self, weight: Tensor, bias: Tensor | None, rows: int, dtype: torch.dtype) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype), rows)
        self._bias = None if bias is None else bias.to(dtype)

    def __call__(self, inputs: Tensor, activation: str = "none") -> Tensor:
        """The output `(rows, m)` of inputs `(rows, n)`, after an activation that costs no pass over memory."""
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(
            inputs, self._weight, self._bias, activation, [], "none" if activation == "gelu" else ""
        )
        return outputs


class PackedBlock(nn.Module):
    """The same function as the `block` that it is made from, in evaluation."""

    @torch.no_grad()
    def __init__(self, block: Block, rows: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.num_heads, self.dtype = block.attn.num_heads, dtype
        qkv, *others = block.attn.qkv, block.attn.proj, block.mlp.fc1, block.mlp.fc2
        to_base_2 = dtype == torch.bfloat16
        parameters = _with_scaled_queries(qkv, self.num_heads) if to_base_2 else (qkv.weight, qkv.bias)
        self._qkv = PackedLinear(*parameters, rows, dtype)
        self._proj, self._fc1, self._fc2 = (PackedLinear(one.weight, one.bias, rows, dtype) for one in others)

    def forward(self, tokens: Tensor) -> Tensor:
        updated = tokens.clone(memory_format=torch.contiguous_format)
        self.update_(updated)
        return updated

    def update_(self, tokens: Tensor) -> None:
        """Replace tokens `(batch, length, dim)`, which are contiguous and fp32, by those after the block."""
        rows = tokens.view(-1, tokens.shape[-1])
        rows.add_(self._proj(self._mix(self._qkv(self.norm1(rows).to(self.dtype)), len(tokens))))
        rows.add_(self._fc2(self._fc1(self.norm2(rows).to(self.dtype), "gelu")))

    def _mix(self, qkv: Tensor, batch: int) -> Tensor:
        """The attention-weighted values for each token, heads side by side, `(rows, dim)` of qkv `(rows, 3 * dim)`."""
        size = qkv.shape[-1] // (3 * self.num_heads)
        heads = qkv.view(batch, -1, 3, self.num_heads, size).permute(2, 0, 3, 1, 4)
        if self.dtype == torch.bfloat16:
            mixed = attend(*heads.contiguous().flatten(1, 2)).view(heads.shape[1:])
        else:
            queries, keys, values = heads
            mixed = F.scaled_dot_product_attention(queries, keys, values)
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
