"""A tar that comes through a pipe: read once, each recording kept as a temporary file until it is decoded."""

from __future__ import annotations

import os
import sys
import tarfile
import tempfile
import threading
import time
from dataclasses import replace
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from cedtag.audio.members import BETWEEN, DAMAGE, said, tar_members
from cedtag.audio.spool import MAX_SPOOL_BYTES, nameless, no_room
from cedtag.audio.tar_files import Tar, compression_of
from cedtag.records import FileFailed, Source
from cedtag.system.shortages import is_shortage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cedtag.audio.members import Member
    from cedtag.records import Listed

PIPED = f"-{BETWEEN}"  # how the paths of its members begin
MOST_WAITING_BYTES = 256 << 20
_HEADER_BYTES = 512
_COPY_BYTES = 1 << 16  # what is lost of a member at most where its tar is cut off

_waiting: dict[str, int] = {}  # path of a member that is not decoded yet -> the descriptor of its file


def open_waiting(path: str) -> int | None:
    """A descriptor of the file of a member that waits, at its beginning; None for any other path."""
    fd = _waiting.get(path)
    return None if fd is None else os.open(nameless(fd), os.O_RDONLY | os.O_CLOEXEC)


class PipedInput:
    """Standard input, which is looked at once, for whether it is a tar."""

    def __init__(self) -> None:
        self._tar: PipedTar | None = None

    @cached_property
    def stream(self) -> BinaryIO:
        """All bytes of the input, as long as it is no tar."""
        return cast("BinaryIO", _Replayed(sys.stdin.buffer))

    def tar(self) -> PipedTar | None:
        """The tar, compressed or not, that the input is; None for anything else."""
        if self._tar is None:
            try:
                head = cast("_Replayed", self.stream).head(_HEADER_BYTES)
            except OSError:  # which is said where it is read as a recording
                return None
            opened = compression_of(head)
            self._tar = PipedTar(self.stream, opened) if opened or _is_header(head) else None
        return self._tar

    def kept(self, sources: Iterable[Listed]) -> Iterator[Listed]:
        """Pass everything on, members of a tar when they are kept; each has to be asked for before the next is found.

        One that is cut off is kept as far as it goes; in a later run it is another state of the recording.
        """
        for item in sources:
            if self._tar is not None and isinstance(item, Source) and item.path.startswith(PIPED):
                yield self._tar.keep(item)
            else:
                yield item

    def taken(self, source: Source) -> str:
        """Let go of a member that a decoder has opened; what is wrong with it, or ""."""
        return "" if self._tar is None else self._tar.taken(source.path)

    def close(self) -> None:
        """Let go of all that waits."""
        if self._tar is not None:
            self._tar.close()


class PipedTar:
    """A tar whose members are listed, and kept, in their order; what waits is bounded by bytes, or one member."""

    def __init__(self, stream: BinaryIO, opened: Callable[..., Any] | None) -> None:
        self._stream, self._opened = stream, opened
        self._tar: Tar | None = None
        self._member: Member | None = None
        self._problems: dict[str, tuple[str, int]] = {}  # of each member that waits, and its size
        self._bytes = 0
        self._less = threading.Condition()
        self._closed = False

    def members(self) -> Iterator[Member]:
        """Yield the recordings in it; `DAMAGE` where it cannot be read on."""
        if self._tar is not None:  # named a second time
            return
        self._tar = Tar(self._stream, self._opened)
        for member in tar_members(self._tar):
            self._member = member
            yield member

    def keep(self, source: Source) -> Source | FileFailed:
        """Copy the member that was listed last into a temporary file, when there is room; the failure if that fails."""
        assert self._member is not None
        assert source.path == PIPED + self._member.name, "a member was passed before it was kept"
        if source.size > MAX_SPOOL_BYTES:
            return FileFailed(source, "open", f"{source.name}: it is longer than {MAX_SPOOL_BYTES >> 30} GiB")
        with self._less:
            self._less.wait_for(lambda: self._closed or not self._bytes or self._has_room(source.size))
        try:
            with tempfile.TemporaryFile(prefix="cedtag-") as file:
                problem = self._copy(source.size, file)
                fd = os.dup(file.fileno())
        except OSError as error:
            if is_shortage(error):
                raise
            return FileFailed(source, "read", f"{source.name}: {no_room(error)}")
        with self._less:
            if self._closed:  # meanwhile: nobody will take it
                os.close(fd)
                return source
            _waiting[source.path] = fd
            self._problems[source.path] = problem, source.size
            self._bytes += source.size
        return replace(source, mtime_ns=time.time_ns()) if problem else source

    def taken(self, path: str) -> str:
        """Let go of a member; what is wrong with it, or ""."""
        with self._less:
            if (fd := _waiting.pop(path, None)) is None:
                return ""
            problem, size = self._problems.pop(path)
            self._bytes -= size
            os.close(fd)
            self._less.notify_all()
            return problem

    def close(self) -> None:
        """Let go of all that waits, and of the thread that waits for room."""
        with self._less:
            self._closed = True
            for path in self._problems:
                os.close(_waiting.pop(path))
            self._problems.clear()
            self._less.notify_all()

    def _has_room(self, size: int) -> bool:
        return self._bytes + size <= MOST_WAITING_BYTES

    def _copy(self, size: int, file: IO[bytes]) -> str:
        """Copy the bytes of the member; why some are missing, or ""."""
        assert self._tar is not None
        left = size
        try:
            while left and (chunk := self._tar.read(min(left, _COPY_BYTES))):
                file.write(chunk)
                left -= len(chunk)
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the file; gzip raises one without a number
                raise
            return f"its tar cannot be read on ({said(error)}): {left} of its {size} bytes are missing"
        finally:
            file.flush()
        return f"its tar is cut off: {left} of its {size} bytes are missing" if left else ""


class _Replayed:
    """A stream whose first bytes were looked at."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._head = b""

    def head(self, size: int) -> bytes:
        while len(self._head) < size and (chunk := self._stream.read(size - len(self._head))):
            self._head += chunk
        return self._head

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._stream.read(size)
        taken = len(self._head) if size < 0 else size
        piece, self._head = self._head[:taken], self._head[taken:]
        return piece + self._stream.read(-1) if size < 0 else piece


def _is_header(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True
