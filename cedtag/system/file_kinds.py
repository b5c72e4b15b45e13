"""What stands at a path where a regular file was expected, and when it was changed."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

_LATEST_NS = 1 << 62  # in the year 2116: what journals and columns of tables hold

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def file_kind(mode: int) -> str:
    """The kind of what has this `st_mode`, with its article."""
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")


def changed_ns(status: os.stat_result) -> int:
    """When a file was changed, in nanoseconds that fit in 64 bits, whatever its file system holds."""
    return min(status.st_mtime_ns, _LATEST_NS)
