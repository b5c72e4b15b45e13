"""What a decoder writes to standard error by itself is discarded: libmpg123 names neither itself nor the file."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def c_stderr_discarded() -> Iterator[None]:
    """Discard what C code prints to `stderr` in any thread; Python's own standard error goes on.

    The variable of the C library is pointed elsewhere, not the descriptor: what other threads write there is kept.
    """
    stream = _c_stderr()
    if stream is None:
        yield
        return
    stream.discard()
    try:
        yield
    finally:
        stream.restore()


class _CStderr:
    def __init__(self, variable: ctypes.c_void_p, nowhere: int) -> None:
        self._variable, self._nowhere = variable, nowhere
        self._before = variable.value
        self._lock = threading.Lock()
        self._num_users = 0

    def discard(self) -> None:
        with self._lock:
            if self._num_users == 0:
                self._before, self._variable.value = self._variable.value, self._nowhere
            self._num_users += 1

    def restore(self) -> None:
        with self._lock:
            self._num_users -= 1
            if self._num_users == 0:
                self._variable.value = self._before


@cache
def _c_stderr() -> _CStderr | None:
    """Return C's `stderr` where it can be assigned: with glibc and on macOS. Elsewhere it may be a constant."""
    in_glibc = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
    name = "stderr" if in_glibc else "__stderrp" if sys.platform == "darwin" else None
    if name is None:
        return None
    library = ctypes.CDLL(None)
    library.fopen.argtypes, library.fopen.restype = [ctypes.c_char_p, ctypes.c_char_p], ctypes.c_void_p
    nowhere: int | None = library.fopen(os.devnull.encode(), b"we")  # open as long as the process
    return None if nowhere is None else _CStderr(ctypes.c_void_p.in_dll(library, name), nowhere)
