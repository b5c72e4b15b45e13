"""Encoded audio from a pipe, as a temporary file: decoders lose samples, or give up, where they cannot seek."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SPOOL_BYTES = 8 << 30
_COPY_BYTES = 1 << 20
# Opens a descriptor's file anew, also one without a name. `/dev/fd` elsewhere shares one position in the file.
_OPEN_FILES = Path("/proc/self/fd")


@contextmanager
def spooled(stream: BinaryIO, max_bytes: int = MAX_SPOOL_BYTES) -> Iterator[str]:
    """Copy all of `stream` to a temporary file and yield a path that opens it while the context lasts.

    On Linux the file has no name in any folder, so that nothing of it stays when the process is killed.
    """
    with ExitStack() as stack:
        try:
            nameless = _OPEN_FILES.is_dir()
            kind = tempfile.TemporaryFile if nameless else tempfile.NamedTemporaryFile
            file = stack.enter_context(kind(prefix="cedtag-"))
            _copy(stream, file, max_bytes)
        except OSError as error:
            raise AudioError(f"standard input: {no_room(error)}", stage="open") from error
        yield str(_OPEN_FILES / str(file.fileno())) if nameless else file.name


def nameless(fd: int) -> str:
    """A path that opens the file of a descriptor anew, as long as that is open."""
    return str((_OPEN_FILES if _OPEN_FILES.is_dir() else Path("/dev/fd")) / str(fd))


def no_room(error: OSError) -> str:
    """Why a temporary file cannot be written, and what helps."""
    try:
        where = tempfile.gettempdir()
    except FileNotFoundError:
        return "there is no folder to keep it in; set TMPDIR to one that can be written to"
    return f"cannot be kept in {where} ({error.strerror}); set TMPDIR to a folder with more room"


def _copy(stream: BinaryIO, file: IO[bytes], max_bytes: int) -> None:
    num_bytes = 0
    while chunk := stream.read(_COPY_BYTES):
        num_bytes += len(chunk)
        if num_bytes > max_bytes:
            limit = f"{max_bytes / (1 << 30):g} GiB"
            raise AudioError(f"standard input: is longer than {limit}; write it to a file and name that", stage="open")
        file.write(chunk)
    file.flush()
