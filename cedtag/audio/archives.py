"""Open tar and zip files, which give each of their members as a nameless temporary file.

Members of plain tars and of zips are found by their places. A compressed tar can only be read forward: what is passed
on the way to a member is kept for a while, because it is probably what is asked for next.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
import zipfile
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from cedtag.audio.containers.suffixes import AUDIO_SUFFIXES
from cedtag.audio.spool import MAX_SPOOL_BYTES, nameless
from cedtag.audio.tar_files import COPY_BYTES, Tar, compression
from cedtag.system import remote

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable, Iterator

_MOST_OPEN = 4  # archives at once
_MOST_KEPT, _MOST_KEPT_BYTES = 32, 256 << 20  # of one compressed tar


class Archive(Protocol):
    """An open archive, which gives the bytes of its members."""

    def fetch(self, name: str) -> int:
        """A descriptor of a file with the bytes of a member; KeyError where there is none."""

    def close(self) -> None: ...


# Decoder threads ask for members of few archives at a time: those stay open.
_open: OrderedDict[tuple[str, int, int], tuple[Archive, threading.Lock]] = OrderedDict()
_opening, _fetching = threading.Lock(), threading.Lock()


@atexit.register
def close_all() -> None:
    """Close the archives that are kept open."""
    with _opening:
        while _open:
            _open.popitem()[1][0].close()


@contextmanager
def lent(path: str) -> Iterator[Archive]:
    """The open archive at a path, for one thread at a time."""
    while True:
        with _opening:
            path = local(path)
            status = os.stat(path)  # noqa: PTH116 -- names may hold bytes that are not UTF-8
            key = path, status.st_size, status.st_mtime_ns
            if key not in _open:
                _open[key] = _opened(path), threading.Lock()
            _open.move_to_end(key)
            archive, lock = _open[key]
            old = [_open.popitem(last=False)[1] for _ in range(len(_open) - _MOST_OPEN)]
        for other, other_lock in old:
            with other_lock:
                other.close()
        with lock:
            if key in _open:  # else another thread has closed it meanwhile, to open others
                yield archive
                return


def _opened(path: str) -> Archive:
    if is_zip(path):
        return _Zip(path)
    return _CompressedTar(path) if compression(path) else _PlainTar(path)


def is_zip(path: str) -> bool:
    with open(path, "rb") as file:  # noqa: PTH123 -- names may hold bytes that are not UTF-8
        return file.read(2) == b"PK"


# URL -> the temporary file of an archive that is elsewhere, which is read once, and not member by member.
_fetched: OrderedDict[str, int] = OrderedDict()


def local(path: str) -> str:
    """A path that opens an archive, at once: of those that are elsewhere few stay."""
    if not remote.is_url(path):
        return path
    with _fetching:
        if path not in _fetched:
            _fetched[path] = remote.open_object(path, path)
        _fetched.move_to_end(path)
        while len(_fetched) > _MOST_OPEN:
            os.close(_fetched.popitem(last=False)[1])
        return nameless(_fetched[path])


class _Zip:
    """A zip file: its directory names the place of each member."""

    def __init__(self, path: str) -> None:
        self._zip = zipfile.ZipFile(path)
        self._first = {clean(info.filename): info for info in reversed(self._zip.infolist())}

    def fetch(self, name: str) -> int:
        info = self._first[name]
        with self._zip.open(info) as stream:
            fd = _copied(stream.read, info.file_size)
            try:
                stream.read(1)  # compares the checksum
            except BaseException:
                os.close(fd)
                raise
        return fd

    def close(self) -> None:
        self._zip.close()


class _PlainTar:
    """A tar without compression: places are looked up in one pass over its headers, from where the last one ended."""

    def __init__(self, path: str) -> None:
        self._tar = Tar(path)
        self._file = open(path, "rb")  # noqa: PTH123, SIM115 -- closed by `close`; names may be odd
        self._places: dict[int, tuple[int, int]] = {}  # 100 bytes a member

    def fetch(self, name: str) -> int:
        key = hash(name)
        while key not in self._places:
            info = next(self._tar.infos, None)
            if info is None:
                raise KeyError(name)
            if info.isreg():
                self._places.setdefault(hash(clean(info.name)), (info.offset_data, info.size))
        offset, size = self._places[key]
        self._file.seek(offset)
        return _copied(self._file.read, size)

    def close(self) -> None:
        self._tar.close()
        self._file.close()


class _CompressedTar:
    """A tar that can only be read forward; begun anew for a member that was passed and is not kept any more."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._kept_bytes = 0
        self._begin()

    def fetch(self, name: str) -> int:
        if name in self._kept:
            return self._taken(name)
        for _ in range(2):
            for info in self._tar.infos:
                if clean(info.name) == name and info.isreg():
                    return self._read(info)
                if info.isreg() and is_recording(info.name) and info.size <= _MOST_KEPT_BYTES // 4:
                    self._keep(info)
            self.close()
            self._begin()
        raise KeyError(name)

    def close(self) -> None:
        self._tar.close()
        while self._kept:
            os.close(self._taken(next(iter(self._kept))))

    def _begin(self) -> None:
        self._tar = Tar(self._path)

    def _read(self, info: tarfile.TarInfo) -> int:
        return _copied(self._tar.read_from(info), info.size)

    def _keep(self, info: tarfile.TarInfo) -> None:
        self._kept[clean(info.name)] = self._read(info)
        self._kept_bytes += info.size
        while len(self._kept) > _MOST_KEPT or self._kept_bytes > _MOST_KEPT_BYTES:
            os.close(self._taken(next(iter(self._kept))))

    def _taken(self, name: str) -> int:
        fd = self._kept.pop(name)
        self._kept_bytes -= os.fstat(fd).st_size
        return fd


def clean(name: str) -> str:
    """The name of a member as a path has it: "./a" and "a" are one file."""
    start = "/" if name.startswith("/") else ""
    return start + "/".join(part for part in name.split("/") if part not in ("", "."))


def is_recording(name: str) -> bool:
    """Whether a member has the name of a recording, and not a hidden one."""
    last = name.rpartition("/")[2]
    return not last.startswith(".") and last[last.rfind(".") :].lower() in AUDIO_SUFFIXES


def _copied(read: Callable[[int], bytes], size: int) -> int:
    """A temporary file with the next `size` bytes; ValueError where there are fewer, or too many for any recording."""
    if size > MAX_SPOOL_BYTES:
        raise ValueError(f"it is longer than {MAX_SPOOL_BYTES >> 30} GiB")
    with tempfile.TemporaryFile(prefix="cedtag-") as file:
        left = size
        while left and (chunk := read(min(left, COPY_BYTES))):
            file.write(chunk)
            left -= len(chunk)
        if left:
            raise ValueError(f"{left} of its {size} bytes are missing")
        file.flush()
        fd = os.dup(file.fileno())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
