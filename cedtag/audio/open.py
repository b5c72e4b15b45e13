"""Opens regular files, and nothing else: a device may block, or start to move."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cedtag.audio import members
from cedtag.audio.piped_tar import open_waiting
from cedtag.errors import AudioError
from cedtag.system import remote
from cedtag.system.file_kinds import file_kind
from cedtag.system.shortages import is_shortage

if TYPE_CHECKING:
    from cedtag.records import Source


def open_regular(source: Source) -> int:
    """Open the file at `source.path` for reading and return its descriptor; anything but a regular file is refused.

    That may be the path of a member of an archive, also of one in a pipe, or the URL of an object, which is read into
    a temporary file.
    """
    if (fd := open_waiting(source.path)) is not None:
        return fd
    if (parts := members.split(source.path)) is not None:
        return members.open_member(source, *parts)
    if remote.is_url(source.path):
        return remote.open_object(source.name, source.path)
    try:
        _refuse_irregular(source, os.stat(source.path))  # noqa: PTH116 - paths may hold bytes that are not UTF-8
        # O_NONBLOCK: should a FIFO take the file's place right now, opening it must not wait for a writer.
        fd = os.open(source.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        if is_shortage(error):
            raise
        raise AudioError(f"{source.name}: {_why(error)}", stage="open") from error
    try:
        _refuse_irregular(source, os.fstat(fd))
    except AudioError:
        os.close(fd)
        raise
    return fd


def unreadable(name: str, error: OSError) -> AudioError:
    """Return the error of an open file that cannot be read: a bad disk, a server that is gone."""
    return AudioError(f"{name}: cannot be read ({error.strerror})", stage="read")


def size_and_mtime(fd: int) -> tuple[int, int]:
    """Return size and modification time of an open file: they change when somebody writes to it."""
    status = os.fstat(fd)
    return status.st_size, status.st_mtime_ns


def _refuse_irregular(source: Source, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{source.name}: is {file_kind(status.st_mode)}, not an audio file", stage="open")


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file (or a link that leads nowhere)"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, OSError):
        return f"cannot be opened ({error.strerror})"
    return "cannot be opened (its name holds a zero byte)"


def is_there(path: str) -> bool:
    """Whether there is anything at a path; of a member, its archive. Objects are taken to be."""
    parts = members.split(path)
    path = path if parts is None else parts[0]
    return remote.is_url(path) or os.path.lexists(path)
