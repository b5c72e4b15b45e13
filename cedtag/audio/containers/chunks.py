"""Containers made of chunks: WAV (RIFF, RIFX, RF64), W64, AIFF and CAF; and AU, which is a single one.

Their decoders read whatever is there as the whole. Only the size in the header shows that audio is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from cedtag.audio.containers.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

ByteOrder = Literal["little", "big"]

# Writers that cannot go back and fill in the size, such as pipes, write one of these (or a little less).
_UNKNOWN_SIZES = ((0x7FFF_0000, 0x8000_0000), (0xFFFF_0000, 0xFFFF_FFFF))


@dataclass(frozen=True, slots=True)
class Layout:
    """How one family of containers writes its chunks."""

    first_chunk: int
    data_id: bytes
    byte_order: ByteOrder
    id_bytes: int = 4
    size_bytes: int = 4
    size_counts_header: bool = False
    alignment: int = 2

    @property
    def header_bytes(self) -> int:
        return self.id_bytes + self.size_bytes

    def aligned(self, offset: int) -> int:
        """Return where a chunk may begin that cannot begin before `offset`."""
        return offset + -offset % self.alignment


_WAV = Layout(12, b"data", "little")
LAYOUTS = {
    b"RIFF": _WAV,
    b"RF64": _WAV,
    b"RIFX": Layout(12, b"data", "big"),
    b"FORM": Layout(12, b"SSND", "big"),
    b"riff": Layout(40, b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", "little", 16, 8, True, 8),
    b"caff": Layout(8, b"data", "big", size_bytes=8, alignment=1),
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: where its contents begin, and how long its header says they are."""

    kind: bytes
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class AudioData:
    """Where the samples are. `promised` bytes is None where the writer left the size open, `present` reach to the end.

    `unread` bytes behind the promised ones belong to no chunk; `num_chunks` hold samples.
    """

    offset: int
    promised: int | None
    present: int
    unread: int = 0
    num_chunks: int = 1

    @property
    def _has_wrapped(self) -> bool:
        """Whether the size is right but for a multiple of 4 GiB; some kilobytes of tags may follow the audio."""
        surplus = self.present - (self.promised or 0)
        return surplus >= 1 << 32 and surplus % (1 << 32) < 1 << 16

    @property
    def is_understated(self) -> bool:
        """Whether the size was never filled in (a recorder lost its power), or wrapped around at 4 GiB."""
        if self.promised is None or not self.unread:
            return False
        # AIFF counts eight bytes of offsets before the samples.
        return self.promised <= 8 or self._has_wrapped


def chunks(file: FileBytes, layout: Layout, start: int) -> Iterator[Chunk]:
    """Yield the chunks from `start` for as long as they look like chunks; the last may promise more than there is."""
    long_size = None
    while start + layout.header_bytes <= file.size:
        header = file.at(start, layout.header_bytes)
        kind = header[: layout.id_bytes]
        size = int.from_bytes(header[layout.id_bytes :], layout.byte_order)
        size -= layout.header_bytes if layout.size_counts_header else 0
        if size < 0 or not all(32 <= byte < 127 for byte in kind[:4]):
            return
        chunk = Chunk(kind, start + layout.header_bytes, size)
        if kind == b"ds64":
            long_size = int.from_bytes(file.at(chunk.offset + 8, 8), "little")
        elif kind == layout.data_id and size == 0xFFFF_FFFF and long_size is not None:
            chunk = replace(chunk, size=long_size)
        yield chunk
        start = layout.aligned(chunk.offset + chunk.size)


def find_audio(file: FileBytes) -> AudioData | None:
    """Return where the samples are, or None when no chunk holds any."""
    magic = file.at(0, 4)
    if magic in (b".snd", b"dns."):
        return _find_audio_in_au(file, "big" if magic == b".snd" else "little")
    layout = LAYOUTS[magic]
    for chunk in chunks(file, layout, layout.first_chunk):
        if chunk.kind == layout.data_id:
            return _audio_data(file, layout, chunk.offset, chunk.size)
    return None


def inspect_chunks(file: FileBytes) -> Findings:
    """Compare the size of the audio that the header promises with what is there."""
    audio = find_audio(file)
    if audio is None:
        return Findings(("has no audio chunk",))
    promised = audio.promised
    if audio.num_chunks > 1:
        return Findings((f"has {audio.num_chunks} audio chunks, and only the first was read",))
    if promised is not None and promised > audio.present:
        return Findings((f"is cut off: {audio.present} of {promised} bytes of audio are there",))
    if audio.is_understated:
        why = "the recorder stopped before closing the file, or it outgrew 4 GiB"
        return Findings((f"its header promises {promised} bytes of audio where {audio.present} follow ({why})",))
    if promised is not None and audio.unread:
        rest = (f"{audio.unread} bytes after the audio were not read",)
        return Findings(problems=rest) if audio.unread > max(4096, promised // 100) else Findings(warnings=rest)
    return Findings()


def _audio_data(file: FileBytes, layout: Layout, offset: int, size: int) -> AudioData:
    present = file.size - offset
    if _is_unknown(size, present, layout):
        return AudioData(offset, None, present)
    if size >= present:
        return AudioData(offset, size, present)
    end, num_chunks = layout.aligned(offset + size), 1
    for chunk in chunks(file, layout, end):
        if chunk.offset + chunk.size > file.size or chunk.kind[:4] in LAYOUTS:  # what follows is another file
            break
        end = layout.aligned(chunk.offset + chunk.size)
        num_chunks += chunk.kind == layout.data_id
    return AudioData(offset, size, present, _unread(file, end, size), num_chunks)


def _is_unknown(size: int, present: int, layout: Layout) -> bool:
    if layout.size_bytes == 8:
        return size >= 1 << 62
    return size > present and any(low <= size <= high for low, high in _UNKNOWN_SIZES)


def _find_audio_in_au(file: FileBytes, byte_order: ByteOrder) -> AudioData:
    offset, size = (int.from_bytes(file.at(at, 4), byte_order) for at in (4, 8))
    present = max(0, file.size - offset)
    if size in (0, 0xFFFF_FFFF):
        return AudioData(offset, None, present)
    return AudioData(offset, size, present, _unread(file, offset + size, size))


def _unread(file: FileBytes, end: int, size: int) -> int:
    """Count the bytes from `end` on; none where they are zeros, as on cards that are formatted before use."""
    if end >= file.size or (size and file.is_zero(end, file.size)):
        return 0
    return file.size - end
