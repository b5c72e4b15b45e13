"""Parts of a file, read as if they were one."""

from __future__ import annotations

import os
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.audio.containers.file_bytes import FileBytes


class SplicedFile:
    """What seems to be a file of the bytes `head`, and then those between the places in `extents` of `file`."""

    def __init__(self, file: FileBytes, head: bytes, extents: Sequence[tuple[int, int]]) -> None:
        self._fd = file.fd
        self._head = head
        self._begins = [file.start + begin for begin, _ in extents]
        lengths = [stop - begin for begin, stop in extents]
        self._bounds = list(accumulate(lengths, initial=len(head)))  # where each extent seems to begin, and the end
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._bounds[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, length: int) -> bytes:
        """Return the next `length` bytes, fewer only at the end."""
        parts = []
        while length > 0 and (part := self._part(length)):
            parts.append(part)
            self._at += len(part)
            length -= len(part)
        return b"".join(parts)

    def readinto(self, buffer: memoryview) -> int:
        data = self.read(len(buffer))
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def _part(self, length: int) -> bytes:
        """Return bytes from the current place on, out of one part."""
        place = bisect_right(self._bounds, self._at) - 1
        if place < 0:
            return self._head[self._at : self._at + length]
        if place == len(self._begins):
            return b""
        within = self._at - self._bounds[place]
        left = self._bounds[place + 1] - self._at
        return os.pread(self._fd, min(length, left), self._begins[place] + within)
