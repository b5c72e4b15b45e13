"""Matroska and WebM: elements inside elements, each with its kind and its size."""

from __future__ import annotations

import re
import zlib
from bisect import bisect_right
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.units import Units, findings_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

_SEGMENT, _INFO, _TRACKS, _CLUSTER = 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
_CRC, _TIMESTAMP, _TIMESTAMP_SCALE = 0xBF, 0xE7, 0x2AD7B1
_TRACK, _TRACK_TYPE, _ENCODINGS, _ENCODING, _ENCRYPTION = 0xAE, 0x83, 0x6D80, 0x6240, 0x5035
_SOUND = 2
# What segments and clusters hold; the walk goes into these two, and past all others.
_SEGMENT_HOLDS = (0x114D9B74, _INFO, _TRACKS, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, 0x1B538667, 0xEC, _CRC)
_CLUSTER_HOLDS = (_TIMESTAMP, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF)
_KNOWN = frozenset([0x1A45DFA3, _SEGMENT, _CLUSTER, *_SEGMENT_HOLDS, *_CLUSTER_HOLDS])

Element = tuple[int, int, int | None]  # kind, where its contents begin, how long they are if that is stated


def inspect_matroska(file: FileBytes) -> Findings:
    """Walk the elements down to blocks: none may be cut or damaged, nor any cluster contradict its checksum."""
    clusters = _Clusters(file)
    units = Units("Matroska element", clusters.size, re.compile(rb"\x1f\x43\xb6\x75|\x1c\x53\xbb\x6b"), 4)
    found = walk(file, units, 0, file.size, clusters.visit)
    problems = []
    stop = _segment_stop(file)
    if stop is not None and stop > file.size:
        problems.append(f"is cut off: {file.size} of {stop} bytes are there")
        found.cut, found.end = None, file.size
    elif stop is not None and found.end < stop and found.cut is None:
        problems.append(f"the last {stop - found.end} bytes of its segment are damaged ({clusters.when(found.end)})")
    if clusters.damaged:
        times = clusters.when(clusters.damaged[0])
        problems.append(f"clusters whose checksum is wrong: {len(clusters.damaged)}, first {times}")
    is_complete = stop is not None and found.end >= stop
    findings = findings_of(file, units, found, clusters.when, is_complete=is_complete)
    return Findings((*problems, *findings.problems), findings.warnings)


def is_encrypted_matroska(file: FileBytes) -> bool:
    """Return whether a sound track is encrypted."""
    for kind, offset, size in _children(file, 0, file.size):
        if kind == _CLUSTER:
            return False
        if kind == _TRACKS and size is not None:
            tracks = (track for track in _children(file, offset, offset + size) if track[0] == _TRACK)
            return any(_is_encrypted_sound(file, track) for track in tracks)
    return False


def _is_encrypted_sound(file: FileBytes, track: Element) -> bool:
    is_sound = any(_uint(file, kind) == _SOUND for kind in _find(file, track, _TRACK_TYPE))
    encodings = (encoding for all_of in _find(file, track, _ENCODINGS) for encoding in _find(file, all_of, _ENCODING))
    return is_sound and any(True for encoding in encodings for _ in _find(file, encoding, _ENCRYPTION))


class _Clusters:
    """The clusters that a walk comes by: where they are, when they begin, and whether their checksums hold."""

    def __init__(self, file: FileBytes) -> None:
        self._file = file
        self._offsets: list[int] = []
        self._times: list[int] = []
        self._scale_ns = _timestamp_scale(file)
        self._checked: tuple[int, bool | None] = (-1, None)  # where the last cluster was, and whether it is sound
        self.damaged: list[int] = []

    def size(self, file: FileBytes, offset: int) -> int:
        """Return the length of an element; of a cluster the whole if its checksum holds, else that of its header."""
        element = _element(file, offset)
        if element is None or element[0] not in _KNOWN:
            return 0
        kind, contents, size = element
        if kind == _CLUSTER:
            self._checked = (offset, _is_sound(file, element))
        if kind == _SEGMENT or (kind == _CLUSTER and not self._checked[1]):
            return contents - offset
        return 0 if size is None else contents + size - offset

    def visit(self, offset: int, _size: int) -> None:
        element = _element(self._file, offset)
        if element is None or element[0] != _CLUSTER:
            return
        children = _children(self._file, element[1], min(self._file.size, element[1] + 64))
        stamp = next((child for child in children if child[0] == _TIMESTAMP), None)
        self._offsets.append(offset)
        self._times.append(self._times[-1] if stamp is None and self._times else _uint(self._file, stamp))
        if self._checked == (offset, False):
            self.damaged.append(offset)

    def when(self, offset: int) -> str:
        """Return between which times the byte at `offset` stands: those of the cluster before and the one after."""
        place = bisect_right(self._offsets, offset)
        after = self._times[place : place + 1]
        before = self._times[max(0, place - 1) : place]
        between = [f"{ticks * self._scale_ns / 1e9:.2f}" for ticks in (*(before or [0]), *after)]
        return f"between {between[0]} and {between[1]} s" if after else f"after {between[0]} s"


def _is_sound(file: FileBytes, cluster: Element) -> bool | None:
    """Return whether a cluster agrees with its checksum; None where it has none, or is cut."""
    _, offset, size = cluster
    if size is None or offset + size > file.size or file.peek(offset, 2) != b"\xbf\x84":
        return None
    stated = int.from_bytes(file.peek(offset + 2, 4), "little")
    checksum, at, stop = 0, offset + 6, offset + size
    while at < stop:
        data = file.at(at, min(1 << 18, stop - at))
        checksum = zlib.crc32(data, checksum)
        at += len(data)
    return checksum == stated


def _element(file: FileBytes, offset: int) -> Element | None:
    """Read the header of an element; None where there is none."""
    head = file.peek(offset, 12)
    if not head or head[0] < 0x10:
        return None
    id_bytes = 9 - head[0].bit_length()
    if len(head) <= id_bytes or not head[id_bytes]:
        return None
    first = head[id_bytes]
    size_bytes = 9 - first.bit_length()
    stated = head[id_bytes : id_bytes + size_bytes]
    if len(stated) < size_bytes:
        return None
    value_bits = 7 * size_bytes
    size = int.from_bytes(stated, "big") & (1 << value_bits) - 1
    kind = int.from_bytes(head[:id_bytes], "big")
    return kind, offset + id_bytes + size_bytes, None if size == (1 << value_bits) - 1 else size


def _children(file: FileBytes, start: int, stop: int) -> Iterator[Element]:
    """Yield the elements in [start, stop), and those in a segment."""
    while start < stop and (element := _element(file, start)) is not None:
        yield element
        kind, start, size = element
        if kind != _SEGMENT:
            if size is None:
                return
            start += size


def _find(file: FileBytes, parent: Element, kind: int) -> Iterator[Element]:
    _, start, size = parent
    return (child for child in _children(file, start, start + (size or 0)) if child[0] == kind)


def _uint(file: FileBytes, element: Element | None) -> int:
    return 0 if element is None else int.from_bytes(file.peek(element[1], min(8, element[2] or 0)), "big")


def _segment_stop(file: FileBytes) -> int | None:
    """Return where the segment ends by its header; None where that is open."""
    for kind, offset, size in _children(file, 0, file.size):
        if kind == _SEGMENT:
            return None if size is None else offset + size
    return None


def _timestamp_scale(file: FileBytes) -> int:
    for element in _children(file, 0, file.size):
        if element[0] == _INFO:
            return next((_uint(file, scale) for scale in _find(file, element, _TIMESTAMP_SCALE)), 1_000_000)
        if element[0] == _CLUSTER:
            break
    return 1_000_000
