"""The file of a recording, opened once and identified once, whichever process then decodes it."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from cedtag.audio import ranged
from cedtag.audio.bugs import bugs_reported
from cedtag.audio.containers.codecs import undecodable_codec
from cedtag.audio.containers.encryption import is_encrypted
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.containers.identify import Container
from cedtag.audio.containers.other_files import describe_other, undecodable
from cedtag.audio.containers.span import Span, identify_span
from cedtag.audio.open import open_regular, size_and_mtime, unreadable
from cedtag.audio.ranged import RangedBytes
from cedtag.audio.selection import Selection
from cedtag.errors import AudioError
from cedtag.records import MISSING
from cedtag.system import remote
from cedtag.system.extras import has, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.raw import RawFormat
    from cedtag.records import Source
    from cedtag.system.remote import RangedObject


@dataclass(frozen=True, slots=True)
class AudioFile:
    """An open file and what it holds: a container, or headerless PCM; `selection` is what of it is scored.

    `span` are the bytes that a decoder may see: tags are outside.
    `size_and_mtime` are those from when it was opened. Whoever has the value closes it. An object that is `ranged` has
    no descriptor.
    """

    name: str
    fd: int
    format: Container | RawFormat
    size_and_mtime: tuple[int, int]
    selection: Selection = field(default_factory=Selection)
    span: Span = field(default_factory=Span)
    ranged: RangedObject | None = None

    @property
    def needs_pyav(self) -> bool:
        return isinstance(self.format, Container) and self.format.demuxer is not None

    def contents(self) -> FileBytes:
        """Return the bytes of the span."""
        if self.ranged is not None:
            return RangedBytes(self.name, self.ranged, self.span.start, self.span.stop)
        return FileBytes(self.fd, self.span.start, self.span.stop)

    def is_as_opened(self) -> bool:
        """Whether nobody has written to it since; every range of an object is compared when it is read."""
        return self.ranged is not None or size_and_mtime(self.fd) == self.size_and_mtime

    def close(self) -> None:
        if self.ranged is not None:
            self.ranged.close()
        else:
            os.close(self.fd)


def open_audio(
    source: Source, raw: RawFormat | None = None, selection: Selection | None = None, *, in_ranges: bool = False
) -> AudioFile:
    """Open the file at `source.path` and identify it, unless it is `raw`.

    The reason why it cannot be decoded is an `AudioError`: what else it is, or that its decoder is not installed.
    With `in_ranges` a long object of a container that is read once, from the front to the back, is not fetched first.
    """
    fd = -1
    if in_ranges and raw is None and source.size >= ranged.FROM_BYTES and remote.is_url(source.path):
        found = _open_ranged(source, selection or Selection())
        if isinstance(found, AudioFile):
            return found
        fd = found
    fd = open_regular(source) if fd < 0 else fd
    with closed_on_error(source.name, fd), bugs_reported(source.name):
        opened = size_and_mtime(fd)
        container, span = (raw, Span()) if raw is not None else _identified(source.name, FileBytes(fd))
        file = AudioFile(source.name, fd, container, opened, selection or Selection(), span)
        if file.needs_pyav and not _has_pyav():
            assert isinstance(file.format, Container)
            raise AudioError(f"{source.name}: {missing(f'{file.format.name} is decoded by PyAV', 'av')}", stage=MISSING)
        return file


@contextmanager
def closed_on_error(name: str, opened: int | AudioFile) -> Iterator[None]:
    """Close a descriptor or a file when the block fails; a disk that fails there is an `AudioError`."""
    close = opened.close if isinstance(opened, AudioFile) else partial(os.close, opened)
    try:
        yield
    except OSError as error:
        close()
        raise unreadable(name, error) from error
    except BaseException:
        close()
        raise


def _open_ranged(source: Source, selection: Selection) -> AudioFile | int:
    """The object, to be read in ranges; where its container is read otherwise, the descriptor of a file of it."""
    try:
        content = remote.RangedObject(source.path)
    except remote.RemoteError as error:
        raise AudioError(f"{source.name}: {error}", stage="read") from error
    with ExitStack() as stack:
        stack.callback(content.close)
        try:
            with bugs_reported(source.name):
                container, span = _identified(source.name, RangedBytes(source.name, content))
        except AudioError as error:
            if isinstance(error.__cause__, remote.WithoutRangesError):
                return remote.open_object(source.name, source.path)
            raise
        if container.name in ranged.READ_ONCE and container.demuxer is None:
            stack.pop_all()
            return AudioFile(source.name, -1, container, (content.size, 0), selection, span, content)
        return remote.open_object(source.name, source.path, content)


def _identified(name: str, file: FileBytes) -> tuple[Container, Span]:
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
