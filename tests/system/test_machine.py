from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from cedtag.system.machine import cpu_quota, memory_limit, usable_cpus


@pytest.mark.parametrize(("text", "quota"), [("max 100000", None), ("150000 100000", 1.5), ("400000 100000", 4.0)])
def test_quota_of_a_version_2_control_group(tmp_path, text, quota):
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert cpu_quota(tmp_path) == quota


@pytest.mark.parametrize(("quota_us", "quota"), [("-1", None), ("50000", 0.5)])
def test_quota_of_a_version_1_control_group(tmp_path, quota_us, quota):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota_us)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cpu_quota(tmp_path) == quota


def test_a_quota_below_the_affinity_is_what_counts(tmp_path):
    (tmp_path / "cpu.max").write_text("50000 100000")
    assert usable_cpus(tmp_path) == 1


def test_without_a_control_group_the_affinity_counts(tmp_path):
    assert usable_cpus(tmp_path) == len(os.sched_getaffinity(0))
    assert memory_limit(tmp_path) is None


def test_memory_limit(tmp_path):
    (tmp_path / "memory.max").write_text("1048576")
    assert memory_limit(tmp_path) == 1048576


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="counts what the kernel does for glibc's allocator")
def test_memory_that_was_freed_comes_back_without_the_kernel():
    code = """
import ctypes, resource
from cedtag.system.machine import keep_freed_memory

libc, size = ctypes.CDLL(None), 16 << 20
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def use():
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    libc.free(block)

keep_freed_memory()
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    # 4,096 pages a block: every time, if blocks of this size are mapped, or if the end of the heap is given back.
    assert int(faults) < 1000
