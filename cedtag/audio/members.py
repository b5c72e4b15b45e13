"""Recordings inside tar and zip files: their names, and a file of its own for each that is opened.

A decoder gets the bytes of a member as a nameless temporary file: it can seek there, and one that is damaged costs
itself, as everywhere. Members of plain tars and of zips are found by their places. A compressed tar can only be read
forward: what is passed on the way to a member is kept for a while, because it is probably what is asked for next.
"""

from __future__ import annotations

import atexit
import bz2
import calendar
import gzip
import lzma
import os
import re
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections import OrderedDict
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, Protocol

from cedtag.audio.containers.suffixes import AUDIO_SUFFIXES
from cedtag.audio.spool import MAX_SPOOL_BYTES, nameless
from cedtag.errors import AudioError
from cedtag.system import remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cedtag.records import Source

BETWEEN = "!/"  # an archive and the path in it
_ARCHIVE = r"\.(?:tar|zip|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz))"
_IS_ARCHIVE = re.compile(rf".*{_ARCHIVE}", re.IGNORECASE | re.DOTALL)
_PARTS = re.compile(rf"(.*?{_ARCHIVE}){BETWEEN}(.+)", re.IGNORECASE | re.DOTALL)
_UNIX_LINK = 0xA  # the kind of file in the upper bits of a zip's attributes
_COPY_BYTES = 1 << 20
_MOST_OPEN = 4  # archives at once
_MOST_KEPT, _MOST_KEPT_BYTES = 32, 256 << 20  # of one compressed tar
# Whatever a damaged archive raises: gzip raises EOFError and zlib.error, bzip2 OSError and ValueError.
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive: where its header is, its size in bytes, when it was changed, and why it is not taken."""

    name: str
    offset: int
    size: int
    mtime_s: int
    refusal: str = ""


class _Archive(Protocol):
    """An open archive, which gives the bytes of its members."""

    def fetch(self, name: str) -> int:
        """A descriptor of a file with the bytes of a member; KeyError where there is none."""

    def close(self) -> None: ...


def is_archive(path: str) -> bool:
    """Whether a path has the name of an archive that recordings can be in."""
    return _IS_ARCHIVE.fullmatch(path) is not None


def split(path: str) -> tuple[str, str] | None:
    """The archive and the path in it; None for a path that is no member's."""
    parts = _PARTS.fullmatch(path)
    return None if parts is None or os.path.lexists(path) else (parts[1], parts[2])


def members(path: str) -> Iterator[Member]:
    """Yield what is in an archive, in its order and in constant memory; `DAMAGE` where it cannot be read.

    Folders are left out, and so is what has no name of a recording.
    """
    path = _local(path)
    if _is_zip(path):
        with zipfile.ZipFile(path) as archive:
            found = (_zipped(info) for info in archive.infolist() if not info.is_dir())
            yield from _once(found)
        return
    with closing(_Tar(path)) as tar:
        yield from _once(_tarred(info) for info in tar.infos if not info.isdir())


def _once(found: Iterable[Member]) -> Iterator[Member]:
    """Those of the members that may be recordings; a name that comes again is refused."""
    seen: set[int] = set()
    for member in found:
        if is_archive(member.name):
            yield replace(member, refusal="is an archive in an archive, which is not opened")
        elif _is_recording(member.name):
            key = hash(member.name)
            again = "" if key not in seen else "has a name that was in its archive before; the first of them is taken"
            seen.add(key)
            yield replace(member, refusal=member.refusal or again)


def _zipped(info: zipfile.ZipInfo) -> Member:
    refusal = _refusal(info.filename) or ("is encrypted" if info.flag_bits & 1 else "")
    if info.external_attr >> 28 == _UNIX_LINK:
        refusal = refusal or "is a link in its archive"
    return Member(info.filename, info.header_offset, info.file_size, calendar.timegm(info.date_time), refusal)


def _tarred(info: tarfile.TarInfo) -> Member:
    return Member(info.name, info.offset, info.size, int(info.mtime), _refusal(info.name) or _kind(info))


def _is_recording(name: str) -> bool:
    last = name.rpartition("/")[2]
    return not last.startswith(".") and last[last.rfind(".") :].lower() in AUDIO_SUFFIXES


def _refusal(name: str) -> str:
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "has an absolute path in its archive"
    return "has a path that leads out of its archive" if ".." in re.split(r"[/\\]", name) else ""


def _kind(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "is a link in its archive"
    return "" if info.isreg() and not info.issparse() else "is no regular file in its archive"


def open_member(source: Source, archive: str, name: str) -> int:
    """Open a member as a temporary file and return its descriptor; the reason why that fails is an `AudioError`."""
    try:
        with _lent(archive) as opened:
            return opened.fetch(name)
    except KeyError:
        raise AudioError(f"{source.name}: there is no such file in that archive", stage="open") from None
    except FileNotFoundError as error:
        raise AudioError(f"{source.name}: no such archive ({error.strerror})", stage="open") from error
    except DAMAGE as error:
        raise AudioError(f"{source.name}: cannot be read from its archive ({said(error)})", stage="open") from error


def said(error: BaseException) -> str:
    """What went wrong with an archive, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip() or type(error).__name__


# Decoder threads ask for members of few archives at a time: those stay open.
_open: OrderedDict[tuple[str, int, int], tuple[_Archive, threading.Lock]] = OrderedDict()
_opening, _fetching = threading.Lock(), threading.Lock()


@atexit.register
def close_all() -> None:
    """Close the archives that are kept open."""
    with _opening:
        while _open:
            _open.popitem()[1][0].close()


@contextmanager
def _lent(path: str) -> Iterator[_Archive]:
    """The open archive at a path, for one thread at a time."""
    with _opening:
        path = _local(path)
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
        yield archive


def _opened(path: str) -> _Archive:
    if _is_zip(path):
        return _Zip(path)
    return _CompressedTar(path) if _opener(path) else _PlainTar(path)


def _is_zip(path: str) -> bool:
    with open(path, "rb") as file:  # noqa: PTH123 -- names may hold bytes that are not UTF-8
        return file.read(2) == b"PK"


def _opener(path: str) -> Callable[..., Any] | None:
    """What opens the compression that the first bytes name; None for none."""
    with open(path, "rb") as file:  # noqa: PTH123 -- as above
        start = file.read(6)
    return next((opener for magic, opener in _COMPRESSED.items() if start.startswith(magic)), None)


# URL -> the temporary file of an archive that is elsewhere, which is read once, and not member by member.
_fetched: OrderedDict[str, int] = OrderedDict()


def _local(path: str) -> str:
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
        self._first = {info.filename: info for info in reversed(self._zip.infolist())}

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
        self._tar = _Tar(path)
        self._file = open(path, "rb")  # noqa: PTH123, SIM115 -- closed by `close`; names may be odd
        self._places: dict[int, tuple[int, int]] = {}  # 100 bytes a member

    def fetch(self, name: str) -> int:
        key = hash(name)
        while key not in self._places:
            info = next(self._tar.infos, None)
            if info is None:
                raise KeyError(name)
            if info.isreg():
                self._places.setdefault(hash(info.name), (info.offset_data, info.size))
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
                if info.name == name and info.isreg():
                    return self._read(info)
                if info.isreg() and _is_recording(info.name) and info.size <= _MOST_KEPT_BYTES // 4:
                    self._keep(info)
            self.close()
            self._begin()
        raise KeyError(name)

    def close(self) -> None:
        self._tar.close()
        while self._kept:
            os.close(self._taken(next(iter(self._kept))))

    def _begin(self) -> None:
        self._tar = _Tar(self._path)

    def _read(self, info: tarfile.TarInfo) -> int:
        return _copied(self._tar.read_from(info), info.size)

    def _keep(self, info: tarfile.TarInfo) -> None:
        self._kept[info.name] = self._read(info)
        self._kept_bytes += info.size
        while len(self._kept) > _MOST_KEPT or self._kept_bytes > _MOST_KEPT_BYTES:
            os.close(self._taken(next(iter(self._kept))))

    def _taken(self, name: str) -> int:
        fd = self._kept.pop(name)
        self._kept_bytes -= os.fstat(fd).st_size
        return fd


class _Info(tarfile.TarInfo):
    """A header; tarfile takes one that is damaged for the end of its archive, and this one does not."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> _Info:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # two blocks of zeros, or one
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            raise tarfile.ReadError("it is cut off: there is no mark of its end") from None
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"it is damaged at byte {tar.offset}: {error}") from error


class _Tar:
    """A tar that is read from its beginning to its end, in whichever compression its first bytes name."""

    def __init__(self, path: str) -> None:
        with ExitStack() as stack:
            file = stack.enter_context(open(path, "rb"))  # noqa: PTH123 -- names may hold bytes that are not UTF-8
            opened = _opener(path)
            self._stream: IO[bytes] = file if opened is None else stack.enter_context(opened(file, "rb"))
            mode = "r:" if opened is None else "r|"
            self._tar = stack.enter_context(
                tarfile.open(fileobj=self._stream, mode=mode, tarinfo=_Info, encoding="utf-8", errorlevel=0)  # type: ignore[call-overload]
            )
            self.infos = self._all()
            self._closing = stack.pop_all()

    def read_from(self, info: tarfile.TarInfo) -> Callable[[int], bytes]:
        """What reads the bytes of a member; in a compressed tar, of the last one that `infos` gave."""
        stream: IO[bytes] = self._tar.extractfile(info)
        return stream.read

    def close(self) -> None:
        self._closing.close()

    def _all(self) -> Iterator[tarfile.TarInfo]:
        """The headers, in order and in constant memory; checksums of the compression are compared at its end."""
        while (info := self._tar.next()) is not None:
            yield info
            self._tar.members = []  # which it would keep, for ways of access that are not used here
        while self._stream.read(_COPY_BYTES):
            pass


_COMPRESSED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


def _copied(read: Callable[[int], bytes], size: int) -> int:
    """A temporary file with the next `size` bytes; ValueError where there are fewer, or too many for any recording."""
    if size > MAX_SPOOL_BYTES:
        raise ValueError(f"it is longer than {MAX_SPOOL_BYTES >> 30} GiB")
    with tempfile.TemporaryFile(prefix="cedtag-") as file:
        left = size
        while left and (chunk := read(min(left, _COPY_BYTES))):
            file.write(chunk)
            left -= len(chunk)
        if left:
            raise ValueError(f"{left} of its {size} bytes are missing")
        file.flush()
        fd = os.dup(file.fileno())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
