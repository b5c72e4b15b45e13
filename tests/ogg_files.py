"""Ogg files taken apart and put together again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.audio.containers.file_bytes import HeadBytes
from cedtag.audio.containers.ogg_pages import LAST, Page, page_bytes, walk_pages

if TYPE_CHECKING:
    from pathlib import Path


def pages_of(path: Path) -> list[bytes]:
    """Return the pages of a sound Ogg file."""
    data = path.read_bytes()
    found = [page for page in walk_pages(HeadBytes(data)) if isinstance(page, Page)]
    return [data[page.offset : page.stop] for page in found]


def changed_page(
    page: bytes, *, number: int | None = None, serial: int | None = None, ends: bool | None = None
) -> bytes:
    """Return a page with another number, stream or mark of the end, and the checksum for it."""
    found = read_page(page)
    flags = found.flags if ends is None else found.flags & ~LAST | LAST * ends
    new_number = found.number if number is None else number
    new_serial = found.serial if serial is None else serial
    return page_bytes(flags, found.granule, new_serial, new_number, found.lacing, page[found.body_offset :])


def read_page(page: bytes) -> Page:
    """Return what the header of a sound page says."""
    (found,) = walk_pages(HeadBytes(page))
    assert isinstance(found, Page)
    return found


def joined_pages(first: bytes, second: bytes) -> bytes:
    """Return one page with the packets of two, which ends where the second does."""
    one, two = read_page(first), read_page(second)
    body = first[one.body_offset :] + second[two.body_offset :]
    return page_bytes(two.flags, two.granule, one.serial, one.number, one.lacing + two.lacing, body)
