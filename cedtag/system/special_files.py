"""Devices, pipes and open descriptors under the names of files: they are written as they stand, and never replaced."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import IO

_DESCRIPTOR = re.compile(r"/(?:dev/fd|proc/(self|thread-self|[0-9]+)/fd)/([0-9]+)")
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_MAX_LINKS = 40


def is_special(path: Path) -> bool:
    """Whether a path leads to a device, a pipe, a socket, or an open descriptor such as /dev/stdout."""
    if descriptor_of(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def descriptor_of(path: Path) -> int | None:
    """The number of the open descriptor for which a path stands, such as 1 for /dev/stdout; None for any other."""
    name = os.path.abspath(path)  # noqa: PTH100 -- links are followed one by one
    for _ in range(_MAX_LINKS):
        if name in _STANDARD:
            return _STANDARD[name]
        if match := _DESCRIPTOR.fullmatch(name):
            return int(match[2]) if match[1] in (None, "self", "thread-self", str(os.getpid())) else None
        try:
            name = os.path.normpath(os.path.join(os.path.dirname(name), os.readlink(name)))  # noqa: PTH115, PTH118, PTH120
        except (OSError, ValueError):
            return None
    return None


def open_special(path: Path) -> IO[bytes]:
    """Open for writing what `is_special`; a descriptor goes on where it is. Nothing is created or cut."""
    number = descriptor_of(path)
    if number is not None:
        return os.fdopen(os.dup(number), "wb")
    return os.fdopen(os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0)), "wb")


def followed(path: Path) -> Path:
    """The target of a symbolic link, so that the link stays when the file is replaced; any other path as it is."""
    # Not pathlib, which raises for names that are too long.
    is_link = os.path.islink(path)  # noqa: PTH114
    return Path(os.path.realpath(path)) if is_link and not is_special(path) else path
