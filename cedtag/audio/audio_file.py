"""The file of a recording, opened once and identified once, whichever process then decodes it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cedtag.audio.bugs import bugs_reported
from cedtag.audio.containers.codecs import undecodable_codec
from cedtag.audio.containers.encryption import is_encrypted
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.containers.identify import Container
from cedtag.audio.containers.other_files import describe_other, undecodable
from cedtag.audio.containers.span import Span, identify_span
from cedtag.audio.open import open_regular, size_and_mtime, unreadable
from cedtag.audio.selection import Selection
from cedtag.errors import AudioError
from cedtag.records import MISSING
from cedtag.system.extras import has, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.raw import RawFormat
    from cedtag.records import Source


@dataclass(frozen=True, slots=True)
class AudioFile:
    """An open file and what it holds: a container, or headerless PCM; `selection` is what of it is scored.

    `span` are the bytes that a decoder may see: tags are outside.
    `size_and_mtime` are those from when it was opened. Whoever has the value closes it.
    """

    name: str
    fd: int
    format: Container | RawFormat
    size_and_mtime: tuple[int, int]
    selection: Selection = field(default_factory=Selection)
    span: Span = field(default_factory=Span)

    @property
    def needs_pyav(self) -> bool:
        return isinstance(self.format, Container) and self.format.demuxer is not None

    def contents(self) -> FileBytes:
        """Return the bytes of the span."""
        return FileBytes(self.fd, self.span.start, self.span.stop)

    def close(self) -> None:
        os.close(self.fd)


def open_audio(source: Source, raw: RawFormat | None = None, selection: Selection | None = None) -> AudioFile:
    """Open the file at `source.path` and identify it, unless it is `raw`.

    The reason why it cannot be decoded is an `AudioError`: what else it is, or that its decoder is not installed.
    """
    fd = open_regular(source)
    with closed_on_error(source.name, fd), bugs_reported(source.name):
        opened = size_and_mtime(fd)
        container, span = (raw, Span()) if raw is not None else _identified(source.name, fd)
        file = AudioFile(source.name, fd, container, opened, selection or Selection(), span)
        if file.needs_pyav and not _has_pyav():
            assert isinstance(file.format, Container)
            raise AudioError(f"{source.name}: {missing(f'{file.format.name} is decoded by PyAV', 'av')}", stage=MISSING)
        return file


@contextmanager
def closed_on_error(name: str, fd: int) -> Iterator[None]:
    """Close a descriptor when the block fails; a disk that fails there is an `AudioError`."""
    try:
        yield
    except OSError as error:
        os.close(fd)
        raise unreadable(name, error) from error
    except BaseException:
        os.close(fd)
        raise


def _identified(name: str, fd: int) -> tuple[Container, Span]:
    file = FileBytes(fd)
    container, span = identify_span(file)
    contents = file.part(span.start)
    if container is None:
        what = undecodable(contents.at(0, 8)) or f"no audio that cedtag knows, but {describe_other(contents)}"
        raise AudioError(f"{name}: is {what}", stage="open")
    if (codec := undecodable_codec(container.name, contents)) is not None:
        raise AudioError(f"{name}: holds {codec}", stage="open")
    if is_encrypted(file.part(span.start, span.stop), container):
        raise AudioError(
            f"{name}: is encrypted (DRM) and cannot be decoded; use a copy without protection", stage="open"
        )
    return container, span


def _has_pyav() -> bool:
    return has("av")
