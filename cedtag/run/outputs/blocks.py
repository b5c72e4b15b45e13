"""A stream to which rows go whole: where they find no room, a regular file ends after the last whole one."""

from __future__ import annotations

import os
import select
import stat
from contextlib import suppress
from io import BytesIO, UnsupportedOperation
from typing import IO


class WholeBlocks(BytesIO):
    """Holds what is written until it is flushed, and then writes it to the descriptor of `out`, whole or not at all.

    A pipe or a device takes nothing back: there a part of it may stay.
    """

    def __init__(self, out: IO[bytes]) -> None:
        super().__init__()
        self._out = out
        self._descriptor = out.fileno()
        self._num_flushed = 0

    def flush(self) -> None:
        self._out.flush()
        block = self.getvalue()
        # First of all, so that a block which failed is not written again.
        self.seek(0)
        self.truncate()
        self._num_flushed += len(block)
        write_block(self._descriptor, block)

    def tell(self) -> int:
        return self._num_flushed + super().tell()

    def isatty(self) -> bool:
        return self._out.isatty()

    def fileno(self) -> int:
        return self._descriptor


def in_whole_blocks(out: IO[bytes]) -> IO[bytes]:
    """The stream that writes whole blocks to `out`, if that has a descriptor."""
    try:
        return WholeBlocks(out)
    except UnsupportedOperation:
        return out


def write_block(descriptor: int, block: bytes) -> None:
    """Write all of a block; where that fails, take back what was written of it, if a regular file can give it back."""
    rest = memoryview(block)
    try:
        while rest:
            rest = rest[_write_some(descriptor, rest) :]
    except OSError:
        with suppress(OSError):
            _take_back(descriptor, len(block) - len(rest))
        raise


def _write_some(descriptor: int, data: memoryview) -> int:
    """Write a part of the data; its number of bytes."""
    try:
        return os.write(descriptor, data)
    except BlockingIOError:  # a pipe that somebody made non-blocking
        select.select([], [descriptor], [])
        return 0


def _take_back(descriptor: int, num_bytes: int) -> None:
    """Cut off the last bytes that were written, unless another program has written since."""
    status = os.fstat(descriptor)
    if num_bytes and stat.S_ISREG(status.st_mode) and os.lseek(descriptor, 0, os.SEEK_CUR) == status.st_size:
        os.ftruncate(descriptor, status.st_size - num_bytes)
        os.lseek(descriptor, status.st_size - num_bytes, os.SEEK_SET)
