"""Ogg pages: numbered, each with a checksum over all of its bytes."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

CONTINUED, FIRST, LAST = 1, 2, 4
NO_GRANULE = -1
_HEADER = struct.Struct("<5xBqII4xB")
_HEADER_BYTES = 27
_LONGEST_PAGE = _HEADER_BYTES + 255 + 255 * 255
_MAGIC = re.compile(rb"OggS\0")
# Ogg's checksum is zlib's with the bits of every byte in the other order, and without inverting it before and after.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Page(NamedTuple):
    """A page whose checksum is right, and where it stands in the file."""

    offset: int
    stop: int
    flags: int
    granule: int
    serial: int
    number: int
    lacing: bytes

    @property
    def body_offset(self) -> int:
        return self.offset + _HEADER_BYTES + len(self.lacing)


@dataclass(frozen=True, slots=True)
class Junk:
    """Bytes that are no page with a right checksum; of `num_pages` in it, the last lacks `cut_bytes` at its end."""

    offset: int
    stop: int
    num_pages: int
    cut_bytes: int = 0


def walk_pages(file: FileBytes) -> Iterator[Page | Junk]:
    """Yield everything in a file, in order: pages, and what is between them."""
    offset = junk = 0
    num_pages = cut_bytes = 0
    while offset < file.size:
        head = file.at(offset, _HEADER_BYTES + 255)
        page, missing = _page(file, offset, head) if head[:5] == b"OggS\0" else (None, 0)
        if page is None:
            num_pages += head[:5] == b"OggS\0"
            cut_bytes = missing
            found = file.search(_MAGIC, 5, offset + 1, file.size)
            offset = found if found >= 0 else file.size
            continue
        if junk < offset:
            yield Junk(junk, offset, num_pages)
            num_pages = cut_bytes = 0
        yield page
        junk = offset = page.stop
    if junk < offset:
        yield Junk(junk, offset, num_pages, cut_bytes)


def page_bytes(flags: int, granule: int, serial: int, number: int, lacing: bytes, body: bytes) -> bytes:
    """Return a page with its checksum."""
    start = b"OggS\0" + struct.pack("<BqII", flags, granule, serial, number)
    rest = bytes([len(lacing)]) + lacing + body
    return start + _checksum(start + bytes(4) + rest) + rest


def paged(packets: list[bytes], serial: int) -> bytes:
    """Return the pages, numbered from 0, that begin a stream with its header `packets`; the first has its own."""
    lacing, body = _laced(packets[:1])
    pages = [page_bytes(FIRST, 0, serial, 0, lacing, body)]
    lacing, body = _laced(packets[1:])
    is_continued = False
    while lacing:
        here, lacing = lacing[:255], lacing[255:]
        size = sum(here)
        granule = NO_GRANULE if min(here) == 255 else 0
        pages.append(page_bytes(is_continued, granule, serial, len(pages), here, body[:size]))
        body, is_continued = body[size:], here[-1] == 255
    return b"".join(pages)


def _laced(packets: list[bytes]) -> tuple[bytes, bytes]:
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    return lacing, b"".join(packets)


def _page(file: FileBytes, offset: int, head: bytes) -> tuple[Page | None, int]:
    """Return the page that begins at `offset` if it is sound, and how many bytes of it the file lacks."""
    if len(head) < _HEADER_BYTES:
        return None, _HEADER_BYTES - len(head)
    flags, granule, serial, number, num_segments = _HEADER.unpack_from(head)
    lacing = head[_HEADER_BYTES : _HEADER_BYTES + num_segments]
    size = _HEADER_BYTES + num_segments + sum(lacing)
    if offset + size > file.size:
        return None, offset + size - file.size
    page = file.at(offset, size)
    if _checksum(page) != page[22:26]:
        return None, 0
    return Page(offset, offset + size, flags, granule, serial, number, lacing), 0


def _checksum(page: bytes) -> bytes:
    mirrored = page.translate(_MIRRORED)
    value = zlib.crc32(mirrored[:22], 0xFFFFFFFF)
    value = zlib.crc32(memoryview(mirrored)[26:], zlib.crc32(bytes(4), value))
    return (value ^ 0xFFFFFFFF).to_bytes(4, "big").translate(_MIRRORED)
