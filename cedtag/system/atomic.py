"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from cedtag.errors import OutputError
from cedtag.system.shortages import is_shortage
from cedtag.system.special_files import followed, is_special, open_special

try:
    import fcntl
except ImportError:  # not a POSIX system: two commands that write one file are not noticed
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_NAME = 255  # bytes, on every file system that people keep recordings on


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a new empty file beside `path`, which takes its place if the block ends well.

    The name is always the same, so that what a killed process leaves behind is replaced by the next try. What lies at
    that name is removed, and no link there is followed.
    """
    temporary = temporary_name(path)
    lock = _create(temporary)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(lock)


@contextmanager
def writing_whole(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write, which is on the disk before it is at `path`. Parent folders are made.

    A symbolic link stays, and its target is replaced. A device or a pipe is written as it stands.
    """
    if is_special(path):
        with open_special(path) as out:
            yield out
        return
    path = followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())
    sync_folder(path.parent)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's error about a write into a sentence about the output."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if is_shortage(error):  # of this process, and not of that place
            raise
        raise OutputError(
            f"{error.filename or path}: cannot write results there ({error.strerror or error})"
        ) from error


def temporary_name(path: Path) -> Path:
    """The name that a file has until it is whole: the dot and `.part` make long names longer, so those are cut."""
    name = f".{path.name}.part"
    if len(os.fsencode(name)) > LONGEST_NAME:
        digest = hashlib.blake2b(os.fsencode(path.name), digest_size=8).hexdigest()
        name = f".{cut_name(path.name, 200)}~{digest}.part"
    return path.with_name(name)


def cut_name(name: str, num_bytes: int) -> str:
    """The start of a name, of at most so many bytes; no letter is cut in two."""
    encoded = os.fsencode(name)
    if len(encoded) <= num_bytes:
        return name
    end = num_bytes
    while end > max(0, num_bytes - 3) and encoded[end] & 0xC0 == 0x80:  # inside a letter of UTF-8
        end -= 1
    return os.fsdecode(encoded[:end])


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, where its file system can: what they lead to is whole all the same."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)


def _create(temporary: Path) -> int:
    """Create a temporary file that was not there, and lock it; what a killed process left there is removed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666)
    except FileExistsError:
        _remove_leftover(temporary)
        descriptor = os.open(temporary, flags, 0o666)
    _is_locked(descriptor)
    return descriptor


def _remove_leftover(temporary: Path) -> None:
    """Remove what is at a temporary name; OutputError while another process writes it."""
    if temporary.is_file() and not temporary.is_symlink():
        with suppress(PermissionError):
            descriptor = os.open(temporary, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            try:
                if _is_locked(descriptor):
                    raise OutputError(f"{temporary}: another command is writing this file; wait for it")
            finally:
                os.close(descriptor)
    temporary.unlink(missing_ok=True)


def take_lock(descriptor: int) -> bool:
    """Whether this open file holds the lock of its file now; True, too, where nothing can be locked."""
    return not _is_locked(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Whether another open file holds the lock of this file; if not, this one holds it now."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # a file system without locks
    return False
