"""Big-endian WAV with an extensible format, which neither libsndfile nor FFmpeg reads, with the plain one instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.audio.containers.chunks import LAYOUTS, chunks, find_audio
from cedtag.audio.containers.codecs import wave_format
from cedtag.audio.repaired import RepairedFile

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

_RIFX = b"RIFX"
_PLAIN_BYTES = 16


def plain_rifx(file: FileBytes) -> RepairedFile | None:
    """Return the file with a plain format in its header, or None where it is no such file."""
    if file.at(0, 4) != _RIFX or (form := wave_format(file)) is None or not form[2]:
        return None
    if (audio := find_audio(file)) is None:
        return None
    layout = LAYOUTS[_RIFX]
    chunk = next(chunk for chunk in chunks(file, layout, layout.first_chunk) if chunk.kind == b"fmt ")
    fmt = form[0].to_bytes(2, "big") + file.at(chunk.offset + 2, _PLAIN_BYTES - 2)
    size = audio.present if audio.promised is None else min(audio.promised, audio.present)
    data = b"data" + _uint32(size)
    head = b"WAVEfmt " + _uint32(len(fmt)) + fmt + data
    return RepairedFile(file, _RIFX + _uint32(len(head) + size) + head, audio.offset, audio.offset + size)


def _uint32(number: int) -> bytes:
    return number.to_bytes(4, "big")
