"""AVI: chunks of pictures and sound inside lists, 2 GB of them in each RIFF."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.units import Units, findings_of, walk

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

# The walk goes into these, and past all other chunks.
_ENTERED = re.compile(rb"RIFF....AVI[ X\x19]|LIST....(?:movi|rec )", re.DOTALL)
_KIND = re.compile(rb"[0-9A-Za-z]{2}[0-9A-Za-z ]{2}")
_STREAM_CHUNK = re.compile(rb"[0-9]{2}(?:wb|dc|db)|ix[0-9]{2}|idx1|RIFF....AVIX", re.DOTALL)
# Writers to pipes leave the size open; some count the eight bytes of the header too.
_OPEN_SIZES = (0, 0xFFFFFFFF)
_SLACK_BYTES = 8


def inspect_avi(file: FileBytes) -> Findings:
    """Walk the chunks: none may be cut or damaged, and the file must be as long as its headers state."""
    stated = 0

    def visit(offset: int, size: int) -> None:
        nonlocal stated
        if size == 12 and file.peek(offset, 4) == b"RIFF":
            riff_bytes = int.from_bytes(file.peek(offset + 4, 4), "little")
            stated = max(stated, 0 if riff_bytes in _OPEN_SIZES else offset + 8 + riff_bytes)

    units = Units("AVI chunk", _chunk_bytes, _STREAM_CHUNK, 12)
    found = walk(file, units, 0, file.size, visit)
    problems = []
    if stated > file.size + _SLACK_BYTES:
        problems.append(f"is cut off: {file.size} of {stated} bytes are there")
        found.cut, found.end = None, file.size
    findings = findings_of(file, units, found, is_complete=0 < stated <= found.end + _SLACK_BYTES)
    return Findings((*problems, *findings.problems), findings.warnings)


def _chunk_bytes(file: FileBytes, offset: int) -> int:
    head = file.peek(offset, 12)
    if _ENTERED.match(head):
        return 12
    if len(head) < 8 or not _KIND.match(head):
        return 0
    size = int.from_bytes(head[4:8], "little")
    return 8 + size + size % 2
