"""Files whose headers state a wrong length, with headers that state the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.audio.containers.chunks import LAYOUTS, AudioData, chunks, find_audio
from cedtag.audio.spliced import SplicedFile

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.identify import Container

# Headers are copied to be repaired; no sound one is as long as this.
_LONGEST_HEAD = 1 << 20


def repaired(file: FileBytes, container: Container) -> SplicedFile | None:
    """Return the file with the length that it has in its header, or None where that changes nothing."""
    if container.name in ("wav", "w64", "aiff", "caf", "au"):
        audio = find_audio(file)
        return None if audio is None else _repaired_chunks(file, container, audio)
    return None


def _repaired_chunks(file: FileBytes, container: Container, audio: AudioData) -> SplicedFile | None:
    if audio.is_understated:  # libsndfile itself reads such AIFF files to the end
        return _with_true_size(file, audio) if container.name == "wav" else None
    promised = audio.promised
    if container.name == "caf" and (promised is None or promised > audio.present) and audio.offset < _LONGEST_HEAD:
        # libsndfile refuses a CAF file that is cut off, or that was written to a pipe.
        head = file.at(0, audio.offset - 8) + audio.present.to_bytes(8, "big")
        return SplicedFile(file, head, [(audio.offset, file.size)])
    if promised is None or promised >= audio.present:
        return None
    # libsndfile reads what follows in a W64 file as audio, and fails at a second file or audio chunk elsewhere.
    if audio.unread or audio.num_chunks > 1 or container.name == "w64":
        return SplicedFile(file, extents=[(0, audio.offset + promised)])
    return None


def _with_true_size(file: FileBytes, audio: AudioData) -> SplicedFile | None:
    """Make a WAV header of the format chunk alone with the true size; RF64 where that does not fit 32 bits."""
    layout = LAYOUTS[file.at(0, 4)]
    form = next((chunk for chunk in chunks(file, layout, layout.first_chunk) if chunk.kind == b"fmt "), None)
    if layout.byte_order == "big" or form is None or form.size > _LONGEST_HEAD:
        return None
    fmt = file.at(form.offset - 8, 8 + form.size + form.size % 2)
    size = audio.present
    if size < 0xFFFF_0000:
        head = b"RIFF" + _uint32(size + len(fmt) + 12) + b"WAVE" + fmt + b"data" + _uint32(size)
    else:
        sizes = (size + len(fmt) + 48, size, 0)
        ds64 = b"ds64" + _uint32(28) + b"".join(number.to_bytes(8, "little") for number in sizes) + bytes(4)
        head = b"RF64" + _uint32(0xFFFF_FFFF) + b"WAVE" + ds64 + fmt + b"data" + _uint32(0xFFFF_FFFF)
    return SplicedFile(file, head, [(audio.offset, file.size)])


def _uint32(number: int) -> bytes:
    return number.to_bytes(4, "little")
