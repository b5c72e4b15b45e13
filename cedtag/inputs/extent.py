"""How much there is to be done: recordings, their bytes, and the seconds that they state."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.audio import RawFormat, members, pyav_length
from cedtag.audio.audio_file import open_audio
from cedtag.audio.bugs import bugs_reported
from cedtag.audio.in_process import decoder_of
from cedtag.errors import CedtagError
from cedtag.inputs.search import STDIN
from cedtag.system.remote import is_url

if TYPE_CHECKING:
    from cedtag.records import Source


@dataclass(slots=True)
class Extent:
    """Recordings that were found, their bytes, and the seconds of those that state their length."""

    recordings: int = 0
    num_bytes: int = 0
    seconds: float = 0.0

    def add(self, source: Source, length_s: float | None = None) -> None:
        self.recordings += 1
        self.num_bytes += source.size
        self.seconds += length_s or 0.0


def stated_length_s(source: Source, raw: RawFormat | None = None, *, asks_pyav: bool = False) -> float | None:
    """The seconds that the header of a recording states; None where that is not known, or not near.

    Containers of PyAV's are only looked at where it is to be asked, in a process of its own for each.
    """
    if source.path == STDIN or is_url(source.path) or members.split(source.path) is not None:
        return None  # what would have to be fetched or unpacked is not, only for its length
    try:
        file = open_audio(source, raw)
    except CedtagError:
        return None
    try:
        if isinstance(file.format, RawFormat):
            return source.size / file.format.frame_bytes / file.format.rate_hz
        if file.needs_pyav:
            return pyav_length.stated_length_s(file) if asks_pyav else None
        with bugs_reported(source.name), closing(decoder_of(file)) as decoder:
            return decoder.declared_frames / decoder.rate_hz if decoder.declared_frames else None
    except (CedtagError, OSError):
        return None
    finally:
        file.close()
