"""AMR: frames of speech whose length follows from their first byte."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.units import Units, inspect_units

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

# By the header of the file: the length of a frame by its type, 0 for types that are none.
_FRAME_BYTES = {
    b"#!AMR\n": (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1),
    b"#!AMR-WB\n": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1),
}
_NO_TYPE_BITS = 0x83
_HEADER = re.compile(b"[" + b"".join(re.escape(bytes([byte])) for byte in range(0, 0x80, 4)) + b"]")


def inspect_amr(file: FileBytes) -> Findings:
    """Walk the frames: none may be cut or damaged. Zeros look like a frame, but are none."""
    header = file.at(0, 9)
    start, sizes = next(
        ((len(magic), sizes) for magic, sizes in _FRAME_BYTES.items() if header.startswith(magic)), (0, None)
    )
    if sizes is None:  # several channels
        return Findings()

    def frame_bytes(file: FileBytes, offset: int) -> int:
        first = file.at(offset, 1)[0]
        size = 0 if first & _NO_TYPE_BITS else sizes[first >> 3]
        return size if first or file.at(offset, size).strip(b"\0") else 0

    return inspect_units(file, Units("AMR frame", frame_bytes, _HEADER, 1), start)
