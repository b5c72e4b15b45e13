"""Recordings as blocks of 16 kHz mono float32, whatever they are stored as and whichever decoder reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from cedtag.audio.array import ArrayDecoder
from cedtag.audio.audio_file import open_audio
from cedtag.audio.containers.suffixes import AUDIO_SUFFIXES
from cedtag.audio.in_process import InProcessRecording, open_in_process
from cedtag.audio.raw import RawDecoder, RawFormat, parse_raw_format
from cedtag.audio.selection import Selection
from cedtag.audio.spool import spooled
from cedtag.audio.subprocess_decoder import DecoderPool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.audio.mono import Samples
    from cedtag.records import Source

__all__ = [
    "AUDIO_SUFFIXES",
    "Decoders",
    "Decoding",
    "RawFormat",
    "Recording",
    "Selection",
    "open_recording",
    "parse_raw_format",
    "read_array",
    "read_raw",
    "spooled",
]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How recordings are decoded: as headerless PCM of format `raw`, else by their container.

    With `isolate` every recording is decoded in a child process. Those that PyAV decodes always are. `selection` names
    the track and channel that are scored where there are several.
    """

    raw: RawFormat | None = None
    isolate: bool = False
    selection: Selection = field(default_factory=Selection)


class Recording(Protocol):
    """One open recording, also a context manager. Afterwards `problems` and `warnings` are complete.

    `problems` name audio that is missing or altered, `warnings` what is odd and harmless. `cause` is one of
    `PASSING_STAGES` where audio is missing for a cause that can pass. `traceback` is that of a bug.
    """

    problems: list[str]
    warnings: list[str]
    cause: str
    traceback: str

    def blocks(self) -> Iterator[Samples]:
        """Yield, once, new arrays `(n,)` of 16 kHz mono, n of any size; `(n, channels)` where each is scored by itself.

        Damage after the first samples ends the stream and is a problem; without any sample it is an `AudioError`.
        """

    def close(self) -> None:
        """Close the file. May be called from another thread: `blocks` then raises as soon as it can."""

    def __enter__(self) -> Recording: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


class Decoders:
    """Opens recordings, from any thread, and keeps the child processes that decode some of them for the next ones."""

    def __init__(self, decoding: Decoding | None = None) -> None:
        self._decoding = decoding or Decoding()
        self._pool = DecoderPool()
        self._isolate = self._decoding.isolate

    def open(self, source: Source) -> Recording:
        """Open the file at `source.path`; the reason why it gives no audio is an `AudioError`, here or from `blocks`.

        It is opened once: a file that replaces it afterwards is not read, in a child process neither.
        """
        file = open_audio(source, self._decoding.raw, self._decoding.selection, in_ranges=not self._isolate)
        if file.needs_pyav or self._isolate:
            return self._pool.open(file)
        recording = open_in_process(file)
        recording.on_hang = self._isolate_the_rest
        return recording

    def _isolate_the_rest(self) -> None:
        """Decode in child processes from now on: one that hangs in a read can be killed, with all that it holds."""
        self._isolate = True

    def close(self) -> None:
        """End the child processes, those that are at work when their recording is closed."""
        self._pool.close()

    def __enter__(self) -> Decoders:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_recording(source: Source, decoding: Decoding | None = None) -> Recording:
    """Open one recording; for many, `Decoders` starts fewer processes."""
    decoders = Decoders(decoding)
    recording = decoders.open(source)
    decoders.close()
    return recording


def read_raw(name: str, stream: BinaryIO, raw: RawFormat, selection: Selection | None = None) -> Recording:
    """Read headerless PCM from a stream, such as standard input, and yield blocks as it comes in."""
    selection = selection or Selection()
    selection.check_single_track(name)
    return InProcessRecording(name, RawDecoder(stream, raw), selection=selection)


def read_array(samples: NDArray[np.floating], rate_hz: int, name: str = "array") -> Recording:
    """Read samples `(n,)` or `(n, channels)` in [-1, 1]; InputError for other shapes and types."""
    return InProcessRecording(name, ArrayDecoder(samples, rate_hz, name))
