"""Random access to the bytes of an open file in bounded memory."""

from __future__ import annotations

import os

WINDOW_BYTES = 1 << 18


class FileBytes:
    """The bytes of one open regular file; small reads come out of a window that is read at once.

    Not a memory map: a mapped file that shrinks while it is read kills the process, and a large one needs as much
    address space as it has bytes.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = os.fstat(fd).st_size
        self._start = 0
        self._window = b""

    def at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`, fewer only where the file ends."""
        begin = offset - self._start
        if begin < 0 or begin + length > len(self._window):
            self._window = self._read(offset, max(length, WINDOW_BYTES))
            self._start, begin = offset, 0
        return self._window[begin : begin + length]

    def uint32(self, offset: int) -> int:
        """Return the big-endian number at `offset`, as if zeros followed the file."""
        return int.from_bytes(self.at(offset, 4).ljust(4, b"\0"), "big")

    def find(self, needle: bytes, start: int, stop: int) -> int:
        """Return where `needle` first begins at or after `start` and before `stop`, or -1."""
        while start < stop:
            chunk = self.at(start, min(WINDOW_BYTES, stop - start + len(needle) - 1))
            found = chunk.find(needle)
            if 0 <= found < stop - start:
                return start + found
            step = len(chunk) - len(needle) + 1
            if step <= 0 or found >= 0:
                return -1
            start += step
        return -1

    def is_zero(self, start: int, stop: int) -> bool:
        """Tell whether every byte from `start` to `stop` is zero."""
        while start < stop:
            chunk = self.at(start, min(WINDOW_BYTES, stop - start))
            if chunk.strip(b"\0") or not chunk:
                return False
            start += len(chunk)
        return True

    def _read(self, offset: int, length: int) -> bytes:
        chunks = []
        while length > 0 and (chunk := os.pread(self.fd, length, offset)):
            chunks.append(chunk)
            offset += len(chunk)
            length -= len(chunk)
        return b"".join(chunks)
