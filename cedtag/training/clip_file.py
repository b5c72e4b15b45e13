"""Arrays of clips in a file without a name, so that memory does not grow with their number."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array is in the file."""

    offset: int
    shape: tuple[int, ...]


class ClipFile:
    """Arrays of one type, which threads append and read in any order."""

    def __init__(self, file: FileIO, folder: Path, dtype: type[np.generic]) -> None:
        self._file, self._folder, self._dtype = file, folder, np.dtype(dtype)
        self._lock, self._size = Lock(), 0

    def append(self, array: NDArray[Any]) -> Place:
        """Where the array is now; OutputError on a full disk."""
        content = memoryview(array.astype(self._dtype).tobytes())
        with self._lock:
            place = Place(self._size, array.shape)
            self._size += len(content)
            try:
                while content:
                    content = content[self._file.write(content) :]
            except OSError as error:
                raise OutputError(
                    f"{self._folder}: cannot keep the decoded clips ({error.strerror}); free some space and run the "
                    "same again"
                ) from error
        return place

    def read(self, place: Place) -> NDArray[Any]:
        """The array at a place, which nothing else refers to."""
        size = prod(place.shape) * self._dtype.itemsize
        # No seek: processes that share the file would share its position, too.
        content = bytearray(os.pread(self._file.fileno(), size, place.offset))
        return np.frombuffer(content, self._dtype).reshape(place.shape)

    def read_part(self, place: Place, index: int) -> NDArray[Any]:
        """One of the arrays that the first axis of the array at a place counts."""
        shape = place.shape[1:]
        return self.read(Place(place.offset + index * prod(shape) * self._dtype.itemsize, shape))


@contextmanager
def clip_file(folder: Path, dtype: type[np.generic]) -> Iterator[ClipFile]:
    """A file in the folder for as long as the block lasts; it has no name, so a kill leaves nothing behind."""
    try:
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 -- its making alone fails so
    except OSError as error:
        raise OutputError(f"{folder}: cannot keep the decoded clips ({error.strerror})") from error
    with file:
        yield ClipFile(file, folder, dtype)
