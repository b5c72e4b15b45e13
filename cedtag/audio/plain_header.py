"""Files whose header libsndfile does not stand, with a header of what decides their sound alone."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Literal

from cedtag.audio.containers.chunks import LAYOUTS, chunks, find_audio
from cedtag.audio.containers.codecs import wave_format
from cedtag.audio.spliced import SplicedFile

if TYPE_CHECKING:
    from cedtag.audio.containers.chunks import Chunk
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.identify import Container

# libsndfile keeps the text of a CAF in memory several times, whatever its length, and refuses AIFF with a longer one.
_TEXTS = {"caf": (b"info",), "aiff": (b"NAME", b"AUTH", b"(c) ", b"ANNO")}
_LONGEST_TEXT = 8_000
# What decoding needs besides the audio. The table of the packets of a day is 3 MB long.
_NEEDED = {"caf": (b"desc", b"chan", b"kuki", b"pakt"), "aiff": (b"FVER", b"COMM")}
_LONGEST_NEEDED = 1 << 24
_MOST_CHUNKS = 1_000
_PLAIN_FORMAT_BYTES = 16


def with_plain_header(file: FileBytes, container: Container) -> SplicedFile | None:
    """Return the file with another header, or None where libsndfile reads its own."""
    if file.at(0, 4) == b"RIFX":
        return _plain_rifx(file)
    return _without_long_texts(file, container.name) if container.name in _TEXTS else None


def _plain_rifx(file: FileBytes) -> SplicedFile | None:
    """Make the plain format of an extensible one, which in RIFX neither libsndfile nor FFmpeg reads."""
    form = wave_format(file)
    if form is None or not form[2]:
        return None
    layout = LAYOUTS[b"RIFX"]
    chunk = next(chunk for chunk in chunks(file, layout, layout.first_chunk) if chunk.kind == b"fmt ")
    fmt = form[0].to_bytes(2, "big") + file.at(chunk.offset + 2, _PLAIN_FORMAT_BYTES - 2)
    return _with_head(file, b"RIFX", b"WAVEfmt " + _uint(len(fmt), 4) + fmt + b"data", 4)


def _without_long_texts(file: FileBytes, container: str) -> SplicedFile | None:
    layout = LAYOUTS[file.at(0, 4)]
    found = list(islice(chunks(file, layout, layout.first_chunk), _MOST_CHUNKS))
    if not any(chunk.kind in _TEXTS[container] and chunk.size > _LONGEST_TEXT for chunk in found):
        return None
    needed = [chunk for chunk in found if chunk.kind in _NEEDED[container] and chunk.size <= _LONGEST_NEEDED]
    if container == "caf":
        return _with_head(file, b"", file.at(0, 8) + _joined(file, needed, 8) + b"data", 8)
    return _with_head(file, b"FORM", file.at(8, 4) + _joined(file, needed, 4) + b"SSND", 4)


def _joined(file: FileBytes, parts: list[Chunk], size_bytes: Literal[4, 8]) -> bytes:
    """Join chunks; those with a size of four bytes are padded to an even length."""
    padding = 2 if size_bytes == 4 else 1
    return b"".join(
        part.kind + _uint(part.size, size_bytes) + file.at(part.offset, part.size) + bytes(-part.size % padding)
        for part in parts
    )


def _with_head(file: FileBytes, form: bytes, head: bytes, size_bytes: Literal[4, 8]) -> SplicedFile | None:
    """Put a header before the audio, which ends with the name of its chunk; None where there is no audio."""
    if (audio := find_audio(file)) is None:
        return None
    size = audio.present if audio.promised is None else min(audio.promised, audio.present)
    head += _uint(size, size_bytes)
    if form:
        head = form + _uint(len(head) + size, 4) + head
    return SplicedFile(file, head, [(audio.offset, audio.offset + size)])


def _uint(number: int, num_bytes: int) -> bytes:
    return number.to_bytes(num_bytes, "big")
