from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest
import torch

from cedtag.model.config import CedConfig
from cedtag.model.layers import Block
from cedtag.model.network import CedForAudioClassification
from cedtag.model.packed_block import PackedBlock, attend, pack_blocks
from cedtag.system.processor import processor
from tests.micro import CHECKPOINT
from tests.processors import needs_bf16_products, skip_without_bf16

CONFIG = CedConfig(embed_dim=48, num_heads=3, depth=1)


def drawn_block(config: CedConfig = CONFIG) -> Block:
    torch.manual_seed(0)
    block = Block(config, 0.0).eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(std=0.2)
    return block


def heads(spread: float = 1.0) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    return tuple((torch.randn(6, 20, 16) * spread).bfloat16() for _ in range(3))


def expected_mix(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    weights = (queries.double() @ keys.double().transpose(1, 2) * math.log(2)).softmax(-1)
    return weights @ values.double()


@needs_bf16_products
@pytest.mark.parametrize("bias", [True, False])
def test_a_block_in_bf16_is_the_same_function_but_for_rounding(bias):
    block = drawn_block(CedConfig(embed_dim=48, num_heads=3, depth=1, qkv_bias=bias))
    tokens = torch.randn(3, 20, 48)
    before = tokens.clone()
    with torch.inference_mode():
        wanted, got = block(tokens), PackedBlock(block, 60, torch.bfloat16)(tokens)
    assert torch.equal(tokens, before)
    assert got.dtype == torch.float32
    assert not torch.equal(got, wanted)
    assert (got - wanted).abs().max() < 0.02 * wanted.abs().max()


@pytest.mark.skipif(not torch._C._has_mkldnn, reason="this torch has no oneDNN")
@pytest.mark.parametrize("bias", [True, False])
def test_a_block_in_fp32_is_the_same_function(bias):
    block = drawn_block(CedConfig(embed_dim=48, num_heads=3, depth=1, qkv_bias=bias))
    for shape in ((3, 20, 48), (1, 4, 48)):
        tokens = torch.randn(shape)
        with torch.inference_mode():
            torch.testing.assert_close(PackedBlock(block, 60, torch.float32)(tokens), block(tokens), rtol=0, atol=1e-4)


@needs_bf16_products
def test_small_changes_of_the_tokens_are_not_lost():
    block = PackedBlock(drawn_block(), 20, torch.bfloat16)
    tokens = 1000 + torch.randn(1, 20, 48)  # in bf16, numbers near 1000 are four apart
    with torch.inference_mode():
        assert 0 < (block(tokens) - tokens).abs().mean() < 100
        assert len((block(tokens) - tokens.bfloat16().float()).unique()) > 500


@needs_bf16_products
def test_attention_is_a_softmax_to_base_2():
    mixed = attend(*heads())
    assert mixed.dtype == torch.bfloat16
    assert (mixed - expected_mix(*heads())).abs().max() < 0.03


@needs_bf16_products
@pytest.mark.parametrize("shift", [300.0, -300.0, 140.0, -140.0])
def test_products_out_of_the_range_of_powers_are_attended_to_all_the_same_and_change_no_other_query(shift):
    queries, keys, values = heads()
    usual = attend(queries, keys, values)
    keys[..., 0] = 1  # so that the first number of a query shifts all of its products
    queries[2, 5, 0] = shift
    mixed, wanted = attend(queries, keys, values), expected_mix(queries, keys, values)
    assert mixed.isfinite().all()
    # A product of 300 is rounded to a multiple of two, which is a factor of four or less between powers.
    assert (mixed[2, 5] - wanted[2, 5]).abs().max() < 2
    assert torch.equal(mixed[:2], attend(queries[:2], keys[:2], values[:2]))
    others = torch.arange(20) != 5
    assert (mixed[2, others] - wanted[2, others]).abs().max() < 0.03
    assert usual.isfinite().all()


@needs_bf16_products
@pytest.mark.slow
def test_the_products_are_those_that_the_processor_has_instructions_for():
    skip_without_bf16()
    code = """
import torch
from cedtag.model.packed_block import pack_blocks
from cedtag.model.network import CedForAudioClassification
from tests.micro import CHECKPOINT
model = CedForAudioClassification.from_pretrained(CHECKPOINT).eval()
pack_blocks(model.encoder, 1, torch.bfloat16)
with torch.inference_mode():
    model(torch.randn(1, 64, 1001))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ONEDNN_VERBOSE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    products = [
        line for line in done.stdout.splitlines() if "bf16" in line and ("inner_product" in line or "matmul" in line)
    ]
    per_block = 6  # qkv, queries by keys, weights by values, proj, fc1, fc2
    assert len(products) == 2 * per_block
    features = processor().features or ()
    for feature, kernel in (("amx_bf16", "amx"), ("avx512_bf16", "avx512_core_bf16")):
        if feature in features:
            assert all(kernel in line for line in products), products
            break


@needs_bf16_products
def test_every_block_of_a_model_is_replaced_and_its_weights_in_fp32_are_let_go():
    model = CedForAudioClassification.from_pretrained(CHECKPOINT).eval()
    before = sum(parameter.numel() for parameter in model.parameters())
    in_blocks = sum(parameter.numel() for block in model.encoder.blocks for parameter in block.parameters())
    pack_blocks(model.encoder, 4, torch.bfloat16)
    assert all(isinstance(block, PackedBlock) for block in model.encoder.blocks)
    assert sum(parameter.numel() for parameter in model.parameters()) < before - 0.9 * in_blocks
