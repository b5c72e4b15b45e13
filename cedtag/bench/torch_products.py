"""The products of a model in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cedtag.scoring.torch_threads import compute_alone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from cedtag.bench.products import Shape

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def torch_products(shapes: Sequence[Shape], depth: int, device: str, precision: str) -> Callable[[], None]:
    """The function that computes the products of all blocks."""
    pairs = [_factors(shape, device, _TYPES[precision]) for shape in shapes]

    @torch.inference_mode()
    def products() -> None:
        if device == "cpu":
            compute_alone()
        for _ in range(depth):
            for left, right in pairs:
                left @ right
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)

    return products


def _factors(shape: Shape, device: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    sizes = (shape.batch, shape.rows, shape.inner), (shape.batch, shape.inner, shape.columns)
    left, right = (torch.randn(size, device=device).to(dtype) for size in sizes)
    return (left[0], right[0]) if shape.batch == 1 else (left, right)
