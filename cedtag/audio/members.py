"""Recordings inside tar and zip files: their names, and a file of its own for each that is opened.

A decoder gets the bytes of a member as a temporary file: it can seek there, and one that is damaged costs itself, as
everywhere.
"""

from __future__ import annotations

import calendar
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cedtag.audio.archives import clean, is_recording, is_zip, lent, local
from cedtag.audio.tar_files import Tar
from cedtag.errors import AudioError
from cedtag.system.shortages import is_shortage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.records import Source

BETWEEN = "!/"  # an archive and the path in it
_ARCHIVE = r"\.(?:tar|zip|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz))"
_IS_ARCHIVE = re.compile(rf".*{_ARCHIVE}", re.IGNORECASE | re.DOTALL)
_PARTS = re.compile(rf"(.*?{_ARCHIVE}){BETWEEN}(.+)", re.IGNORECASE | re.DOTALL)
_LATEST_S = 1 << 32  # in the year 2106; later ones are not meant
_UNIX_LINK = 0xA  # the kind of file in the upper bits of a zip's attributes
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

    @property
    def stamp(self) -> int:
        """A number that stays while the member has its place, whatever is appended to its archive."""
        return self.mtime_s * 1_000_000_000 + self.offset * 1000


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
    path = local(path)
    if is_zip(path):
        with zipfile.ZipFile(path) as archive:
            found = (_zipped(info) for info in archive.infolist() if not info.is_dir())
            yield from _once(found)
        return
    with closing(Tar(path)) as tar:
        yield from tar_members(tar)


def tar_members(tar: Tar) -> Iterator[Member]:
    """Yield what is in a tar as `members` does."""
    return _once(_tarred(info) for info in tar.infos if not info.isdir())


def _once(found: Iterable[Member]) -> Iterator[Member]:
    """Those of the members that may be recordings; a name that comes again is refused."""
    seen: set[int] = set()
    for member in found:
        if is_archive(member.name):
            yield replace(member, refusal="is an archive in an archive, which is not opened")
        elif is_recording(member.name):
            key = hash(member.name)
            again = "" if key not in seen else "has a name that was in its archive before; the first of them is taken"
            seen.add(key)
            yield replace(member, refusal=member.refusal or again)


def _zipped(info: zipfile.ZipInfo) -> Member:
    refusal = _refusal(info.filename) or ("is encrypted" if info.flag_bits & 1 else "")
    if info.external_attr >> 28 == _UNIX_LINK:
        refusal = refusal or "is a link in its archive"
    try:
        mtime_s = calendar.timegm(info.date_time)
    except ValueError:  # no month: programs that write no times leave zeros
        mtime_s = 0
    return Member(clean(info.filename), info.header_offset, info.file_size, mtime_s, refusal)


def _tarred(info: tarfile.TarInfo) -> Member:
    mtime_s = int(info.mtime) if abs(info.mtime) < _LATEST_S else 0  # also of "inf" and "nan"
    return Member(clean(info.name), info.offset, info.size, mtime_s, _refusal(info.name) or _kind(info))


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
        with lent(archive) as opened:
            return opened.fetch(name)
    except KeyError:
        raise AudioError(f"{source.name}: there is no such file in that archive", stage="open") from None
    except FileNotFoundError as error:
        raise AudioError(f"{source.name}: no such archive ({error.strerror})", stage="open") from error
    except DAMAGE as error:
        if is_shortage(error):
            raise
        raise AudioError(f"{source.name}: cannot be read from its archive ({said(error)})", stage="open") from error


def said(error: BaseException) -> str:
    """What went wrong with an archive, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip() or type(error).__name__
