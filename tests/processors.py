"""Processors that tests pretend to run on, and whether this one computes in bf16."""

from __future__ import annotations

import pytest

from cedtag.scoring.torch_device import _bf16_in_onednn, cpu_has_bf16
from cedtag.system.processor import Processor

XEON = Processor("Xeon", ("avx2", "avx512f", "vnni", "avx512_bf16", "amx_int8", "amx_bf16"))
OLD = Processor("i5-6500", ("avx2",))
AVX512_ALONE = Processor("Xeon Gold 6140", ("avx2", "avx512f"))

# oneDNN computes in bf16 on every processor with AVX-512, slower than in fp32 where it has to emulate it.
needs_bf16_products = pytest.mark.skipif(
    not _bf16_in_onednn(),
    reason="torch multiplies no bf16 numbers on this processor",
)


def skip_without_bf16() -> None:
    if not cpu_has_bf16():
        pytest.skip("bf16 would be slower than fp32 on this processor, and is refused")
