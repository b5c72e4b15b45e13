"""The boxes of MP4 and MOV files, and what is inside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its contents are the bytes [start, stop)."""

    kind: bytes
    start: int
    stop: int


def boxes(file: FileBytes, start: int, stop: int) -> Iterator[Box]:
    """Yield the boxes in [start, stop); the last may promise more than there is."""
    while start + 8 <= stop:
        box, size = _box(file, start)
        if box is None:
            return
        yield box
        start += size


def inside(file: FileBytes, box: Box, *path: bytes) -> Iterator[Box]:
    """Yield the boxes at `path` inside a box; without a path all that are directly in it."""
    for child in boxes(file, box.start, min(box.stop, file.size)):
        if not path or path == (child.kind,):
            yield child
        elif child.kind == path[0]:
            yield from inside(file, child, *path[1:])


def sound_tracks(file: FileBytes) -> Iterator[Box]:
    """Yield the `trak` boxes of sound."""
    for moov in boxes(file, 0, file.size):
        if moov.kind == b"moov":
            for track in inside(file, moov, b"trak"):
                handlers = (file.at(box.start + 8, 4) for box in inside(file, track, b"mdia", b"hdlr"))
                if next(handlers, b"") == b"soun":
                    yield track


def box_size(file: FileBytes, offset: int) -> int:
    """Return how long the box at an offset is with its header; 0 where there is none."""
    return _box(file, offset)[1]


def _box(file: FileBytes, offset: int) -> tuple[Box | None, int]:
    """Read the header of a box: the box and its length with the header."""
    head = file.peek(offset, 16)
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    header = 8
    if size == 1:
        size, header = int.from_bytes(head[8:16], "big"), 16
    elif size == 0:
        size = file.size - offset
    if len(head) < header or size < header or not all(32 <= byte < 127 or byte == 0xA9 for byte in kind):
        return None, 0
    return Box(kind, offset + header, offset + size), size
