"""What this process may use of the machine, which in a container is less than what the host has."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """How many processors this process may keep busy: its affinity, or the control group's quota when that is less."""
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
        if text is not None and text != "max" and int(text) < 1 << 60:  # version 1 says 2^63 for none
            return int(text)
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
