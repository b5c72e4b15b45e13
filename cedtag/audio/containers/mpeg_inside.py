"""MPEG audio inside WAV and its kin: the chunk of samples is a stream of frames like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.audio.containers.chunks import LAYOUTS, chunks, find_audio

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.containers.file_bytes import FileBytes

_CODES_OF_WAV = (0x50, 0x55)  # layers I and II, layer III
_EXTENSIBLE = 0xFFFE
_NAMES = (b".mp1", b".mp2", b".mp3", b"MP3 ", b"ms\0\x50", b"ms\0\x55")
# What stands in the chunk before the samples: two numbers in AIFF-C, the number of edits in CAF.
_BEFORE_SAMPLES = {"aiff": 8, "caf": 4}


@dataclass(frozen=True, slots=True)
class MpegInside:
    """Where the frames are; `stop` is None for the end of the file. `promised_bytes` are stated, 0 if none are."""

    start: int
    stop: int | None
    promised_bytes: int


def mpeg_inside(file: FileBytes, container: str) -> MpegInside | None:
    """Return where the MPEG frames in a `container` are, or None where it holds something else."""
    is_mpeg = _IS_MPEG.get(container)
    if is_mpeg is None or not is_mpeg(file) or (audio := find_audio(file)) is None:
        return None
    before = _BEFORE_SAMPLES.get(container, 0)
    # Sizes that were never filled in, or are too small: the frames decide.
    promised = 0 if audio.promised is None or audio.unread else max(0, audio.promised - before)
    start = audio.offset + before
    stop = start + promised if promised and start + promised < file.size else None
    return MpegInside(start, stop, promised)


def _is_mpeg_wav(file: FileBytes) -> bool:
    layout = LAYOUTS[file.at(0, 4)]
    form = next((chunk for chunk in chunks(file, layout, layout.first_chunk) if chunk.kind[:4] == b"fmt "), None)
    if form is None:
        return False
    code, extended = (int.from_bytes(file.at(form.offset + at, 2), layout.byte_order) for at in (0, 24))
    return (extended if code == _EXTENSIBLE else code) in _CODES_OF_WAV


def _is_mpeg_aiff(file: FileBytes) -> bool:
    layout = LAYOUTS[b"FORM"]
    common = next((chunk for chunk in chunks(file, layout, layout.first_chunk) if chunk.kind == b"COMM"), None)
    return file.at(8, 4) == b"AIFC" and common is not None and file.at(common.offset + 18, 4) in _NAMES


def _is_mpeg_caf(file: FileBytes) -> bool:
    return file.at(8, 4) == b"desc" and file.at(28, 4) in _NAMES


_IS_MPEG: dict[str, Callable[[FileBytes], bool]] = {
    "wav": _is_mpeg_wav,
    "w64": _is_mpeg_wav,
    "aiff": _is_mpeg_aiff,
    "caf": _is_mpeg_caf,
}
