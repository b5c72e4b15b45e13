"""Parts of a file, behind a header of our own, read as if they were one file."""

from __future__ import annotations

import os
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.audio.containers.file_bytes import FileBytes

_ID3V1_BYTES = 128


class SplicedFile:
    """What seems to be a file of the bytes `head`, and then those between the places in `extents` of `file`, or all.

    It seems to be `least_size` bytes long, or longer, but nothing can be read there.
    """

    def __init__(
        self,
        file: FileBytes,
        head: bytes = b"",
        extents: Sequence[tuple[int, int]] | None = None,
        least_size: int = 0,
    ) -> None:
        extents = [(0, file.size)] if extents is None else extents
        self._file, self._head = file, head
        self._sources = [begin for begin, _ in extents]
        # Where each extent seems to begin, and the end.
        self._begins = list(accumulate((stop - begin for begin, stop in extents), initial=len(head)))
        self._size = max(self._begins[-1], least_size)
        self._at = 0
        self.failure: AudioError | None = None  # which libsndfile takes for the end, and nothing is read after it

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """Fill `buffer`, but for what lies behind the end; the number of bytes."""
        wanted, num_bytes = memoryview(buffer), 0
        try:
            while self.failure is None and num_bytes < len(wanted) and (more := self._read_part(wanted[num_bytes:])):
                self._at += more
                num_bytes += more
        except AudioError as error:
            self.failure = error
        return num_bytes

    def read(self, length: int) -> bytes:
        """Return the next `length` bytes, fewer only at the end."""
        data = bytearray(length)
        return bytes(data[: self.readinto(data)])

    def _read_part(self, wanted: memoryview) -> int:
        """Read from the head or from one extent into the beginning of `wanted`; the number of bytes."""
        place = bisect_right(self._begins, self._at)
        if place == 0:
            head = self._head[self._at :][: len(wanted)]
            wanted[: len(head)] = head
            return len(head)
        if place == len(self._begins):
            # Before it decodes, libmpg123 looks for an ID3v1 tag at the end, and gives up where it cannot read that.
            left = self._size - self._at
            num_bytes = min(len(wanted), left) if 0 < left <= _ID3V1_BYTES else 0
            wanted[:num_bytes] = bytes(num_bytes)
            return num_bytes
        offset = self._sources[place - 1] + self._at - self._begins[place - 1]
        return self._file.read_into(wanted[: self._begins[place] - self._at], offset)
