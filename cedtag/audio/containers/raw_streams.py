"""Streams of nothing but frames: AAC (ADTS, LOAS), AC-3, DTS, TrueHD, or of MPEG packs: they may begin anywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cedtag.audio.containers.aac import ADTS, LOAS
from cedtag.audio.containers.ac3 import AC3
from cedtag.audio.containers.dts import DTS
from cedtag.audio.containers.mpeg_ps import PACKS
from cedtag.audio.containers.units import Units

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

_LONGEST_HEADER, _SHORTEST_FRAME = 16, 6


def _access_unit_bytes(file: FileBytes, offset: int) -> int:
    return 2 * (int.from_bytes(file.peek(offset, 2), "big") & 0x0FFF)


def _access_units(last_of_sync: bytes) -> Units:
    """Access units of MLP or TrueHD, of which one in many has a sync word."""
    return Units("access unit", _access_unit_bytes, re.compile(rb"[\x00-\xff]{4}\xf8ro" + last_of_sync), 8)


# FFmpeg's name of each kind of stream, its frames, and how many in a row are no chance.
_STREAMS = (
    ("aac", ADTS, 3),
    ("loas", LOAS, 4),
    ("ac3", AC3, 3),
    ("dts", DTS, 3),
    ("truehd", _access_units(b"\xba"), 8),
    ("mlp", _access_units(b"\xbb"), 8),
)


def find_program_stream(file: FileBytes, stop: int) -> int:
    """Return where the first pack of an MPEG program stream is, before `stop`; -1 without one.

    Its packets may hold frames of any other stream.
    """
    return _first_frame(file, PACKS, 3, stop)


def find_raw_stream(file: FileBytes, stop: int) -> tuple[str, int] | None:
    """Return FFmpeg's name of the stream whose frames follow one another, and where the first is, before `stop`."""
    found = [(at, name) for name, units, wanted in _STREAMS if (at := _first_frame(file, units, wanted, stop)) >= 0]
    return None if not found else (min(found)[1], min(found)[0])


def _first_frame(file: FileBytes, units: Units, wanted: int, stop: int) -> int:
    at = 0
    while (at := file.search(units.sync, units.sync_bytes, at, stop)) >= 0:
        if _are_in_a_row(file, units, wanted, at):
            return at
        at += 1
    return -1


def _are_in_a_row(file: FileBytes, units: Units, wanted: int, at: int) -> bool:
    """Whether frames follow one another; as few as two where the file ends with the last one."""
    for count in range(wanted):
        if at + _LONGEST_HEADER > file.size:
            return count > 1
        size = units.size(file, at)
        if size < _SHORTEST_FRAME:
            return False
        at += size
    return True
