from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cedtag.system.machine import cpu_quota, memory_limit, usable_cpus

if TYPE_CHECKING:
    from pathlib import Path


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


def tree(folder: Path, files: dict[str, str]) -> tuple[Path, Path]:
    """A folder of control groups and one of a process, with these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder / "groups", folder / "self"


def test_the_smallest_limit_on_the_way_up_counts_in_version_2(tmp_path):
    places = tree(
        tmp_path,
        {
            "self/cgroup": "0::/system.slice/job.service/step",
            "groups/system.slice/cpu.max": "400000 100000",
            "groups/system.slice/memory.max": "2000",
            "groups/system.slice/job.service/cpu.max": "150000 100000",
            "groups/system.slice/job.service/memory.max": "3000",
            "groups/system.slice/job.service/step/cpu.max": "max 100000",
            "groups/system.slice/job.service/step/memory.max": "max",
            "groups/other.slice/cpu.max": "1000 100000",
        },
    )
    assert (cpu_quota(*places), memory_limit(*places), usable_cpus(*places)) == (1.5, 2000, 1)


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_the_smallest_limit_on_the_way_up_counts_in_version_1(tmp_path, mount):
    places = tree(
        tmp_path,
        {
            "self/cgroup": "9:name=systemd:/x\n4:memory:/slurm/uid_1/job_2\n3:cpu,cpuacct:/slurm/uid_1/job_2\n0::/",
            f"groups/{mount}/cpu.cfs_quota_us": "-1",
            f"groups/{mount}/cpu.cfs_period_us": "100000",
            f"groups/{mount}/slurm/uid_1/cpu.cfs_quota_us": "300000",
            f"groups/{mount}/slurm/uid_1/cpu.cfs_period_us": "100000",
            f"groups/{mount}/slurm/uid_1/job_2/cpu.cfs_quota_us": "50000",
            f"groups/{mount}/slurm/uid_1/job_2/cpu.cfs_period_us": "100000",
            "groups/memory/memory.limit_in_bytes": "9223372036854771712",
            "groups/memory/slurm/uid_1/job_2/memory.limit_in_bytes": "4096",
        },
    )
    assert (cpu_quota(*places), memory_limit(*places)) == (0.5, 4096)


def test_a_container_sees_its_group_at_the_mount(tmp_path):
    groups = tmp_path / "groups"
    mounted = f"33 32 0:30 /docker/abc {groups} rw,relatime - cgroup2 cgroup rw"
    files = {"self/mountinfo": mounted, "groups/sub/cpu.max": "70000 100000", "groups/cpu.max": "200000 100000"}
    for own, quota in (("/docker/abc", 2.0), ("/docker/abc/sub", 0.7), ("/../other", 2.0), ("/elsewhere", 2.0)):
        places = tree(tmp_path, {**files, "self/cgroup": f"0::{own}"})
        assert cpu_quota(*places) == quota


@pytest.mark.parametrize("text", ["", "max", "x y", "100000 0", "-5 100000"])
def test_a_quota_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "cpu.max").write_text(text)
    (tmp_path / "memory.max").write_text(text)
    assert (cpu_quota(tmp_path, tmp_path), memory_limit(tmp_path, tmp_path)) == (None, None)


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
