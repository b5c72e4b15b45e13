"""Long recordings behind a URL, read in ranges, ahead of the decoder, and kept nowhere."""

from __future__ import annotations

from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.errors import AudioError
from cedtag.system.remote import RangedObject, RemoteError

# Those that libsndfile reads from the front to the back, and whose audit looks at both ends alone.
READ_ONCE = frozenset(["wav", "w64", "aiff", "caf", "au", "flac"])
FROM_BYTES = 128 << 20  # shorter ones are fetched whole, which costs fewer requests
_HEADER_BYTES = 1 << 18


def ends_of(name: str, url: str) -> RangedBytes:
    """An object of which a few bytes are looked at, such as metadata; the reason why there is none is an AudioError."""
    try:
        return RangedBytes(name, RangedObject(url, _HEADER_BYTES, ahead=False))
    except RemoteError as error:
        raise AudioError(f"{name}: {error}", stage="read") from error


class RangedBytes(FileBytes):
    """The bytes of an object from `start` to `stop`; what cannot be read of them is an `AudioError`."""

    def __init__(self, name: str, content: RangedObject, start: int = 0, stop: int | None = None) -> None:
        self.fd = -1
        self.start = start
        self.size = (content.size if stop is None else stop) - start
        self._start = 0
        self._window = b""
        self._name, self._content = name, content

    def at(self, offset: int, length: int, ahead: int = 0) -> bytes:
        """Return up to `length` bytes from `offset`: there is no window, as the object itself keeps blocks."""
        return self._read(offset, length)

    def _between(self, start: int, stop: int) -> RangedBytes:
        return RangedBytes(self._name, self._content, start, stop)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        found = self._read(offset, len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return self._content.read(self.start + offset, max(0, min(length, self.size - offset)))
        except RemoteError as error:
            raise AudioError(f"{self._name}: {error}", stage="read") from error
