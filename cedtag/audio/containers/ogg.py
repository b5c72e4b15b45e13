"""Ogg: numbered pages, the last of which is marked as the last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

_FIRST_PAGE, _LAST_PAGE = 2, 4
_HEADER_BYTES = 27
_PAGE = re.compile(b"OggS")


class _Walk:
    """What a walk over all pages has found."""

    def __init__(self) -> None:
        self.next_number: dict[int, int] = {}  # by the serial number of the stream
        self.num_links = 0
        self.lost_pages = 0
        self.junk_bytes = 0
        self.trailing_bytes = 0
        self.cut_bytes = 0
        self.is_ended = False
        self._in_headers = False

    def page(self, header: bytes) -> None:
        flags, serial, number = (
            header[5],
            int.from_bytes(header[14:18], "little"),
            int.from_bytes(header[18:22], "little"),
        )
        if flags & _FIRST_PAGE:
            # Streams that begin together run side by side; one that begins later is a recording of its own.
            self.num_links += not self._in_headers
        elif serial in self.next_number and number != self.next_number[serial]:
            self.lost_pages += max(1, number - self.next_number[serial])
        self._in_headers = bool(flags & _FIRST_PAGE)
        self.next_number[serial] = number + 1
        self.is_ended = bool(flags & _LAST_PAGE)


def inspect_ogg(file: FileBytes, *, reads_chains: bool) -> Findings:
    """Walk the pages: none may be missing or cut, and the last must be marked as such.

    With `reads_chains` the decoder goes on to a second recording after the first.
    """
    walk = _walk(file)
    problems = []
    if walk.num_links > 1 and not reads_chains:
        problems.append(f"is a chain of {walk.num_links} recordings, and only the first was read")
    if walk.lost_pages:
        problems.append(f"pages that are missing: {walk.lost_pages}")
    if walk.junk_bytes:
        problems.append(f"{walk.junk_bytes} bytes between its pages are no audio")
    if walk.cut_bytes:
        problems.append(f"its last page is cut off (by {walk.cut_bytes} bytes)")
    elif not walk.is_ended:
        problems.append("has no end-of-stream mark, so its end may be missing")
    trailing = f"{walk.trailing_bytes} bytes after the audio are something else"
    return Findings(tuple(problems), (trailing,) if walk.trailing_bytes else ())


def _walk(file: FileBytes) -> _Walk:
    walk, offset = _Walk(), 0
    while offset < file.size:
        header = file.at(offset, _HEADER_BYTES)
        if header[:4] != b"OggS":
            found = file.search(_PAGE, 4, offset, file.size)
            if found < 0:
                walk.trailing_bytes = 0 if file.is_zero(offset, file.size) else file.size - offset
                return walk
            walk.junk_bytes += found - offset
            offset = found
            continue
        lacing = file.at(offset + _HEADER_BYTES, header[26]) if len(header) == _HEADER_BYTES else b""
        offset += _HEADER_BYTES + len(lacing) + sum(lacing)
        if len(header) < _HEADER_BYTES or len(lacing) < header[26] or offset > file.size:
            walk.cut_bytes = max(1, offset - file.size)
            return walk
        walk.page(header)
    return walk
