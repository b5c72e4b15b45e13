"""Random access to the bytes of an open file in bounded memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re

WINDOW_BYTES = 1 << 18
_PAGE_BYTES = 1 << 12
# Less than the window, so that looking closer at what was found does not read it again.
_SEARCH_BYTES = 1 << 14


class FileBytes:
    """The bytes of one open regular file from `start` to `stop`, counted from `start`.

    Small reads come out of a window that is read at once.
    Not a memory map: a mapped file that shrinks while it is read kills the process, and a large one needs as much
    address space as it has bytes.
    """

    def __init__(self, fd: int, start: int = 0, stop: int | None = None) -> None:
        self.fd = fd
        self.start = start
        self.size = (os.fstat(fd).st_size if stop is None else stop) - start
        self._start = 0
        self._window = b""

    def part(self, start: int, stop: int | None = None) -> FileBytes:
        """Return the bytes from `start` to `stop` of these, as if they were a file."""
        if start == 0 and stop is None:
            return self  # with what it has read
        return self._between(self.start + start, self.start + (self.size if stop is None else stop))

    def at(self, offset: int, length: int, ahead: int = WINDOW_BYTES) -> bytes:
        """Return up to `length` bytes from `offset`, fewer only where the file ends; read `ahead` at least."""
        begin = offset - self._start
        if begin < 0 or begin + length > len(self._window):
            self._window = self._read(offset, max(length, ahead))
            self._start, begin = offset, 0
        return self._window[begin : begin + length]

    def peek(self, offset: int, length: int) -> bytes:
        """Return the same as `at` where places lie far apart: no more than a page is read."""
        return self.at(offset, length, _PAGE_BYTES)

    def uint32(self, offset: int) -> int:
        """Return the big-endian number at `offset`, as if zeros followed the file."""
        return int.from_bytes(self.at(offset, 4).ljust(4, b"\0"), "big")

    def search(self, pattern: re.Pattern[bytes], length: int, start: int, stop: int) -> int:
        """Return where a match of `pattern`, `length` bytes long, first begins in [start, stop), or -1."""
        while start < stop:
            chunk = self.at(start, min(_SEARCH_BYTES, stop - start + length - 1))
            if (match := pattern.search(chunk)) is not None:
                return start + match.start()
            if len(chunk) < _SEARCH_BYTES:
                return -1
            start += len(chunk) - length + 1
        return -1

    def is_zero(self, start: int, stop: int) -> bool:
        """Return whether the bytes from `start` to `stop` are zero; of many, whether those at both ends are."""
        length = min(WINDOW_BYTES, stop - start)
        return not any(self.at(offset, length).strip(b"\0") for offset in (stop - length, start))

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill the beginning of `buffer` with what is at `offset`; the number of bytes, 0 at the end alone."""
        return os.preadv(self.fd, [buffer], self.start + offset)

    def _between(self, start: int, stop: int) -> FileBytes:
        return FileBytes(self.fd, start, stop)

    def _read(self, offset: int, length: int) -> bytes:
        chunks = []
        length = min(length, self.size - offset)
        while length > 0 and (chunk := os.pread(self.fd, length, self.start + offset)):
            chunks.append(chunk)
            offset += len(chunk)
            length -= len(chunk)
        return b"".join(chunks)


class HeadBytes(FileBytes):
    """The first bytes of a stream, as if they were a file."""

    def __init__(self, head: bytes) -> None:
        self.fd = -1
        self.start = 0
        self.size = len(head)
        self._start = 0
        self._window = self._head = head

    def _read(self, offset: int, length: int) -> bytes:
        return self._head[offset : offset + length]
