"""Encoded audio from a pipe, as a temporary file: decoders lose samples, or give up, where they cannot seek."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, BinaryIO

from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SPOOL_BYTES = 8 << 30
_COPY_BYTES = 1 << 20


@contextmanager
def spooled(stream: BinaryIO, max_bytes: int = MAX_SPOOL_BYTES) -> Iterator[str]:
    """Copy all of `stream` to a temporary file and yield its path; the file is removed with the context."""
    with tempfile.NamedTemporaryFile(prefix="cedtag-") as file:
        try:
            _copy(stream, file.file, max_bytes)
        except OSError as error:
            reason = f"cannot be kept in {tempfile.gettempdir()} ({error.strerror})"
            message = f"standard input: {reason}; set TMPDIR to a folder with more room"
            raise AudioError(message, stage="open") from error
        yield file.name


def _copy(stream: BinaryIO, file: IO[bytes], max_bytes: int) -> None:
    num_bytes = 0
    while chunk := stream.read(_COPY_BYTES):
        num_bytes += len(chunk)
        if num_bytes > max_bytes:
            limit = f"{max_bytes / (1 << 30):g} GiB"
            raise AudioError(f"standard input: is longer than {limit}; write it to a file and name that", stage="open")
        file.write(chunk)
    file.flush()
