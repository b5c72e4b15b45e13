"""Tars, compressed or not, read forward: every header, and an error where tarfile would take damage for the end."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COPY_BYTES = 1 << 20
_COMPRESSED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


def compression(path: str) -> Callable[..., Any] | None:
    """What opens the compression that the first bytes name; None for none."""
    with open(path, "rb") as file:  # noqa: PTH123 -- names may hold bytes that are not UTF-8
        return compression_of(file.read(6))


def compression_of(start: bytes) -> Callable[..., Any] | None:
    """What opens the compression of a file that starts so; None for none."""
    return next((opener for magic, opener in _COMPRESSED.items() if start.startswith(magic)), None)


class _Info(tarfile.TarInfo):
    """A header; tarfile takes one that is damaged for the end of its archive, and this one does not."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> _Info:
        try:
            info = super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # zeros: the end, or another tar follows
            tar.is_marked = True  # type: ignore[attr-defined]
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            if getattr(tar, "is_marked", False):
                raise
            raise tarfile.ReadError("it is cut off: there is no mark of its end") from None
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"it is damaged at byte {tar.offset}: {error}") from error
        tar.is_marked = False  # type: ignore[attr-defined]
        return info


class Tar:
    """A tar that is read from its beginning to its end, in whichever compression its first bytes name."""

    def __init__(self, source: str | BinaryIO, opened: Callable[..., Any] | None = None) -> None:
        """Read the tar at a path, or that of a stream, whose compression is then what `opened` opens."""
        with ExitStack() as stack:
            mode = "r|"
            if isinstance(source, str):
                opened = compression(source)
                mode = "r:" if opened is None else "r|"
                source = stack.enter_context(open(source, "rb"))  # noqa: PTH123 -- names may hold bytes that are not UTF-8
            file = source
            self._stream: IO[bytes] = file if opened is None else stack.enter_context(opened(file, "rb"))
            self._tar = stack.enter_context(
                # Tars that were joined to one are read to the end, not to that of the first.
                tarfile.open(  # type: ignore[call-overload]
                    fileobj=self._stream, mode=mode, tarinfo=_Info, encoding="utf-8", errorlevel=0, ignore_zeros=True
                )
            )
            self.infos = self._all()
            self._closing = stack.pop_all()

    def read_from(self, info: tarfile.TarInfo) -> Callable[[int], bytes]:
        """What reads the bytes of a member; in a compressed tar, of the last one that `infos` gave."""
        stream: IO[bytes] = self._tar.extractfile(info)
        return stream.read

    def read(self, size: int) -> bytes:
        """The next bytes of the last member that `infos` gave, in a tar that is read from a stream."""
        return bytes(self._tar.fileobj.read(size))

    def close(self) -> None:
        self._closing.close()

    def _all(self) -> Iterator[tarfile.TarInfo]:
        """The headers, in order and in constant memory; checksums of the compression are compared at its end."""
        while (info := self._tar.next()) is not None:
            yield info
            self._tar.members = []  # which it would keep, for ways of access that are not used here
        while self._stream.read(COPY_BYTES):
            pass
