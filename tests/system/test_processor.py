from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cedtag.system.processor import FEATURES, of_cpuinfo, of_sysctl, processor

XEON = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu avx avx2 avx512f avx512_bf16 avx512_vnni amx_bf16 amx_tile amx_int8

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu avx avx2 avx512f avx512_bf16 avx512_vnni amx_bf16 amx_tile amx_int8
"""
OLD = "model name\t: Intel(R) Core(TM) i5-6500\nflags\t\t: fpu sse4_2 avx avx2\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm bf16\nCPU part\t: 0xd40\n"
PHONE = "Features\t: fp asimd i8mm bf16\n\nFeatures\t: fp asimd\n"
APPLE = """machdep.cpu.brand_string: Apple M2
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_SME: 0
"""
OLD_MAC = """machdep.cpu.brand_string: Intel(R) Core(TM) i7
machdep.cpu.features: FPU SSE4.2 AVX1.0
machdep.cpu.leaf7_features: AVX2 BMI1
"""


@pytest.mark.parametrize(
    ("found", "name", "features", "has_bf16"),
    [
        (of_cpuinfo(XEON), "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", FEATURES[:6], True),
        (of_cpuinfo(OLD), "Intel(R) Core(TM) i5-6500", ("avx2",), False),
        (of_cpuinfo(OLD.replace("avx2", "avx_vnni")), "Intel(R) Core(TM) i5-6500", ("vnni",), False),
        (of_sysctl(APPLE), "Apple M2", ("i8mm", "bf16"), True),
        (of_sysctl(OLD_MAC), "Intel(R) Core(TM) i7", ("avx2",), False),
    ],
    ids=["AMX", "AVX2", "VNNI", "Apple", "older Mac"],
)
def test_what_the_system_says_of_a_processor_is_understood(found, name, features, has_bf16):
    assert (found.name, found.features, found.has_bf16) == (name, features, has_bf16)


def test_instructions_that_only_some_cores_have_do_not_count():
    assert of_cpuinfo(ARM).features == ("i8mm", "bf16")
    assert of_cpuinfo(PHONE).features == ()
    assert str(of_cpuinfo(XEON)).endswith("CPU @ 2.70GHz with avx2, avx512f, vnni, avx512_bf16, amx_int8, amx_bf16")


def test_without_a_list_nothing_is_guessed():
    for found in (of_cpuinfo("processor\t: 0\n"), of_sysctl("")):
        assert found.features is None
        assert not found.has_bf16
        assert "does not list" in str(found)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/cpuinfo")
def test_the_processor_of_this_machine_is_that_of_the_system():
    assert processor() == of_cpuinfo(Path("/proc/cpuinfo").read_text())
