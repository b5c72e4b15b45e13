"""Containers that state their end in a field or two: ADX, MMF (SMAF), RealMedia and GXF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.containers.file_bytes import FileBytes

_OF_REALMEDIA = frozenset([b".RMF", b"PROP", b"MDPR", b"CONT", b"DATA", b"INDX", b"RMMD", b"RJMD"])
# FFmpeg states a block, and the header of a packet, more than it writes.
_BLOCK_OF_ADX, _PACKET_HEAD_OF_REALMEDIA = 32, 12
_LAST_OF_GXF = bytes.fromhex("0000000001fb")
_LONGEST_LAST = 1 << 12


def inspect_end(container: str, file: FileBytes, decoded_frames: int) -> Findings:
    """Compare the end that the container states with that of the file, or with what was decoded."""
    problem = _CHECKS[container](file, decoded_frames)
    return Findings(() if problem is None else (problem,))


def _missing_from_adx(file: FileBytes, decoded_frames: int) -> str | None:
    stated = file.uint32(12)
    return None if decoded_frames + _BLOCK_OF_ADX >= stated else f"decoded {decoded_frames} of {stated} frames"


def _missing_from_mmf(file: FileBytes, _: int) -> str | None:
    return _cut(file, 8 + file.uint32(4))


def _missing_from_realmedia(file: FileBytes, _: int) -> str | None:
    at = 0
    while file.at(at, 4) in _OF_REALMEDIA and (size := file.uint32(at + 4)):
        at += size
    return _cut(file, at) if at - file.size > _PACKET_HEAD_OF_REALMEDIA else None


def _missing_from_gxf(file: FileBytes, _: int) -> str | None:
    tail = file.at(max(0, file.size - _LONGEST_LAST), _LONGEST_LAST)
    return None if _LAST_OF_GXF in tail else "has no end-of-stream packet, so its end may be missing"


def _cut(file: FileBytes, end: int) -> str | None:
    return f"is cut off: {file.size} of {end} bytes are there" if end > file.size else None


_CHECKS: dict[str, Callable[[FileBytes, int], str | None]] = {
    "adx": _missing_from_adx,
    "mmf": _missing_from_mmf,
    "realmedia": _missing_from_realmedia,
    "gxf": _missing_from_gxf,
}
STATE_THEIR_END = frozenset(_CHECKS)
