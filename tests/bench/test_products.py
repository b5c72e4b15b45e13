from __future__ import annotations

import pytest

from cedtag.bench.products import Limit, product_shapes
from cedtag.model.config import CedConfig
from cedtag.scoring.batching import flop_per_window
from tests.micro import CHECKPOINT

SIZES = {"tiny": CedConfig(), "base": CedConfig(embed_dim=768, num_heads=12)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("windows", [1, 4])
def test_the_products_are_all_that_the_model_has(size, windows):
    config = SIZES[size]
    of_a_block = sum(2 * one.batch * one.rows * one.inner * one.columns for one in product_shapes(config, windows))
    assert config.depth * of_a_block == windows * flop_per_window(config)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_limit_is_measured_in_each_precision(precision):
    pytest.importorskip("onnxruntime")
    limit = Limit(CedConfig.from_pretrained(CHECKPOINT), "cpu", precision)
    assert 0 < limit.seconds() < 1
