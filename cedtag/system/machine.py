"""The processors and the memory that this process may use, in a container less than the host has."""

from __future__ import annotations

import ctypes
import math
import os
from pathlib import Path

# glibc's names for what `mallopt` sets (malloc.h), and the most that it takes for the second one.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_THRESHOLD = 32 << 20

_CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """How many processors this process may use: its affinity, or the control group's quota if that is less."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(cgroup)
    return affinity if quota is None else max(1, min(affinity, math.floor(quota)))


def cpu_quota(cgroup: Path = _CGROUP) -> float | None:
    """The control group's limit in processors, or None without one."""
    if (text := _read(cgroup / "cpu.max")) is not None:  # version 2: "max 100000" or "200000 100000"
        quota, period = text.split()
        return None if quota == "max" else int(quota) / int(period)
    quota_us = _read(cgroup / "cpu" / "cpu.cfs_quota_us")  # version 1: -1 or microseconds
    period_us = _read(cgroup / "cpu" / "cpu.cfs_period_us")
    if quota_us is None or period_us is None or int(quota_us) <= 0:
        return None
    return int(quota_us) / int(period_us)


def memory_limit(cgroup: Path = _CGROUP) -> int | None:
    """The control group's limit in bytes, or None without one."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(cgroup / name)
        if text is not None and text != "max" and int(text) < 1 << 60:  # version 1 writes 2^63 for no limit
            return int(text)
    return None


def keep_freed_memory() -> None:
    """Let glibc's allocator keep freed memory for the next call, where it is the allocator.

    Otherwise every activation of more than some hundred kilobytes is given back to the kernel when it is freed, and
    allocated again page by page: some 1,400 page faults for each window of ced-tiny.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
    mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_THRESHOLD)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
