"""MP4, M4A, MOV, 3GP: boxes inside boxes, and tables of where each sample of a track is."""

from __future__ import annotations

import re
from itertools import islice, repeat
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.mp4_boxes import Box, box_size, boxes, inside, sound_tracks
from cedtag.audio.containers.mp4_fragments import missing_fragments
from cedtag.audio.containers.units import Units, findings_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

_ENCRYPTED_ENTRIES = frozenset([b"enca", b"drms", b"aavd"])
_TOP_KINDS = frozenset([b"ftyp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"styp", b"free", b"skip", b"uuid"])
_TABLE_BYTES = 1 << 16


def inspect_mp4(file: FileBytes) -> Findings:
    """Walk the boxes: none may be cut, and every sound sample must lie in the file, every fragment follow the last."""
    units = Units("MP4 box", _top_box_bytes, re.compile(rb"....(moof|styp|sidx|mdat|moov|free|emsg)", re.DOTALL), 8)
    found = walk(file, units, 0, file.size)
    is_fragmented = any(box.kind == b"moof" for box in boxes(file, 0, file.size))
    findings = findings_of(file, units, found, is_complete=not is_fragmented)
    problems = list(findings.problems)
    for track in sound_tracks(file):
        outside, total = _samples_outside(file, track)
        if outside:
            problems.append(f"is cut off or damaged: {outside} of {total} pieces of sound lie outside the file")
    problems += missing_fragments(file)
    return Findings(tuple(problems), findings.warnings)


def is_encrypted_mp4(file: FileBytes) -> bool:
    """Return whether a sound track is encrypted."""
    return any(_is_encrypted(file, track) for track in sound_tracks(file))


def _top_box_bytes(file: FileBytes, offset: int) -> int:
    """Return how long a box is; one of an unknown kind that is longer than the file is none."""
    size = box_size(file, offset)
    return size if offset + size <= file.size or file.peek(offset + 4, 4) in _TOP_KINDS else 0


def _is_encrypted(file: FileBytes, track: Box) -> bool:
    for entries in inside(file, track, b"mdia", b"minf", b"stbl", b"stsd"):
        for entry in boxes(file, entries.start + 8, min(entries.stop, file.size)):
            contents = file.at(entry.start, min(entry.stop - entry.start, _TABLE_BYTES))
            if entry.kind in _ENCRYPTED_ENTRIES or b"sinf" in contents:
                return True
    return False


def _samples_outside(file: FileBytes, track: Box) -> tuple[int, int]:
    """Return how many chunks of a track end behind the file's end, and how many there are."""
    tables = {box.kind: box for stbl in inside(file, track, b"mdia", b"minf", b"stbl") for box in inside(file, stbl)}
    offsets = tables.get(b"co64", tables.get(b"stco"))
    if offsets is None or not {b"stsz", b"stsc", b"stsd"} <= tables.keys():
        return 0, 0
    places = _numbers(file, offsets, 8, 8 if offsets.kind == b"co64" else 4)
    outside = num_chunks = 0
    for place, size in zip(places, _chunk_sizes(file, tables), strict=False):
        num_chunks += 1
        outside += place + size > file.size
    return outside, num_chunks


def _chunk_sizes(file: FileBytes, tables: dict[bytes, Box]) -> Iterator[int]:
    """Yield how many bytes each chunk has at least, without end."""
    stsz = tables[b"stsz"]
    each = file.uint32(stsz.start + 4)
    per_packet, packet_bytes = _packet_of_quicktime(file, tables[b"stsd"]) if each == 1 else (1, 1)
    sizes = _numbers(file, stsz, 12, 4)
    for samples in _samples_per_chunk(_numbers(file, tables[b"stsc"], 8, 4, per_row=3)):
        yield samples * each * packet_bytes // per_packet if each else sum(islice(sizes, samples))


def _packet_of_quicktime(file: FileBytes, stsd: Box) -> tuple[int, int]:
    """Return how many samples a packet has and how many bytes, where a size of 1 stands for one sample of sound."""
    entry = stsd.start + 16
    if file.at(entry + 8, 2) != b"\0\1" or not (samples := file.uint32(entry + 28)):
        return 1, 1
    return samples, file.uint32(entry + 36)


def _samples_per_chunk(entries: Iterator[int]) -> Iterator[int]:
    """Unroll a table of (first chunk, samples in each chunk from there on, description), without end."""
    first, samples = next(entries, 1), next(entries, 0)
    while next(entries, None) is not None and (following := next(entries, None)) is not None:
        yield from repeat(samples, max(0, following - first))
        first, samples = following, next(entries, 0)
    yield from repeat(samples)


def _numbers(file: FileBytes, table: Box, header: int, width: int, per_row: int = 1) -> Iterator[int]:
    """Yield the big-endian numbers of a table: its header ends with the number of its rows."""
    num_rows = file.uint32(table.start + header - 4)
    stop = min(table.stop, file.size, table.start + header + num_rows * per_row * width)
    for at in range(table.start + header, stop - width + 1, _TABLE_BYTES):
        data = file.at(at, min(_TABLE_BYTES, stop - at))
        for place in range(0, len(data) - width + 1, width):
            yield int.from_bytes(data[place : place + width], "big")
