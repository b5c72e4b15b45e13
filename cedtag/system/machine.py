"""The processors and the memory that this process may use, in a container less than the host has."""

from __future__ import annotations

import ctypes
import math
import os
import platform
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# glibc's names for what `mallopt` sets (malloc.h), and the most that it takes for the second one.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_THRESHOLD = 32 << 20

_CGROUP, _PROCESS = Path("/sys/fs/cgroup"), Path("/proc/self")


def usable_cpus(cgroup: Path = _CGROUP, process: Path = _PROCESS) -> int:
    """How many processors this process may use: its affinity, or the control groups' quota if that is less."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(cgroup, process)
    return affinity if quota is None else max(1, min(affinity, math.floor(quota)))


def cpu_quota(cgroup: Path = _CGROUP, process: Path = _PROCESS) -> float | None:
    """The smallest limit, in processors, of the process's control group and of those above it; None without one."""
    return min(filter(None, map(_quota_of, _own_groups("cpu", cgroup, process))), default=None)


def memory_limit(cgroup: Path = _CGROUP, process: Path = _PROCESS) -> int | None:
    """The smallest limit, in bytes, of the process's control group and of those above it; None without one."""
    return min(filter(None, map(_limit_of, _own_groups("memory", cgroup, process))), default=None)


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


def processor_name() -> str:
    """The make of the processor, as far as the system tells it."""
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _quota_of(group: Path) -> float | None:
    """The quota of one control group in processors."""
    if (text := _read(group / "cpu.max")) is not None:  # version 2: "max 100000" or "200000 100000"
        quota, _, period = text.partition(" ")
    else:  # version 1: -1 or microseconds
        quota, period = _read(group / "cpu.cfs_quota_us") or "", _read(group / "cpu.cfs_period_us") or ""
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return None
    return int(quota) / int(period) or None


def _limit_of(group: Path) -> int | None:
    """The memory that one control group may use, in bytes."""
    text = _read(group / "memory.max") or _read(group / "memory.limit_in_bytes") or ""
    return int(text) if text.isdecimal() and int(text) < 1 << 60 else None  # version 1 writes 2^63 for no limit


def _own_groups(controller: str, cgroup: Path, process: Path) -> Iterator[Path]:
    """The folders of the process's control group and of all above it, in the trees that may hold the controller.

    The files of /proc are described in cgroups(7) and proc_pid_mountinfo(5).
    """
    roots = _mount_roots(process)
    yield from (cgroup, cgroup / controller)
    for line in (_read(process / "cgroup") or "").splitlines():
        _, controllers, own = line.split(":", 2)
        if not controllers:
            trees = [cgroup, cgroup / "unified"]
        elif controller in controllers.split(","):
            trees = [cgroup / controllers, cgroup / controller]
        else:
            continue
        for tree in trees:
            yield from _upwards(tree, PurePosixPath(own), PurePosixPath(roots.get(str(tree), "/")))


def _upwards(tree: Path, own: PurePosixPath, root: PurePosixPath) -> Iterator[Path]:
    """The folder of the group `own`, and those above it, where the group `root` is mounted at `tree`."""
    is_shown = own.is_relative_to(root) and ".." not in own.parts  # in some containers it is not
    below = own.relative_to(root) if is_shown else PurePosixPath()
    yield from (tree / parent for parent in (below, *below.parents))


def _mount_roots(process: Path) -> dict[str, str]:
    """Which folder of its file system each mount shows, by the place of the mount."""
    lines = (_read(process / "mountinfo") or "").splitlines()
    return {fields[4]: fields[3] for fields in map(str.split, lines) if len(fields) > 4}


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="surrogateescape").strip()
    except OSError:
        return None
