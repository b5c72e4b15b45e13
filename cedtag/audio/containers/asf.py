"""ASF (WMA, WMV): a header, then packets that all have one length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from cedtag.audio.containers.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

_FILE_PROPERTIES = UUID("8cabdca1-a947-11cf-8ee4-00c00c205365").bytes_le
_DATA = UUID("75b22636-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_INDEX_OBJECTS = re.compile(
    b"|".join(
        re.escape(UUID(name).bytes_le)
        for name in ("33000890-e5b1-11cf-89f4-00a0c90349cb", "d6e229d3-35da-11d1-9034-00a0c90349be")
    )
)
_ENCRYPTION = frozenset(
    UUID(name).bytes_le
    for name in (
        "2211b3fb-bd23-11d2-b4b7-00a0c955fc6e",
        "298ae614-2622-4c17-b935-dae07ee9289c",
        "43058533-6981-49e6-9b74-ad12cb86d58c",
    )
)
_HEADER_BYTES, _DATA_HEADER_BYTES = 30, 50
# What packets begin with that have their error-correction data; all that anybody writes have it.
_PACKET_START = b"\x82\0\0"
_LENGTH_BYTES = (0, 1, 2, 4)


@dataclass(frozen=True, slots=True)
class _Packets:
    """Where the packets begin, how long each is, and how many are stated; None where that was left open."""

    start: int
    size: int
    stated: int | None


def inspect_asf(file: FileBytes) -> Findings:
    """Compare the packets that are there with those that are stated, and look at how each begins."""
    packets = _packets(file)
    if packets is None:
        return Findings(("has no data object, or no length of its packets",))
    stop = file.size
    if packets.stated is None and (index := file.search(_INDEX_OBJECTS, 16, packets.start, file.size)) >= 0:
        stop = index
    present, rest = divmod(max(0, stop - packets.start), packets.size)
    problems = []
    if packets.stated is not None and packets.stated > present:
        problems.append(f"is cut off: {present} of {packets.stated} packets are there")
    elif packets.stated is None and rest:
        problems.append(f"its last packet is cut off ({rest} of {packets.size} bytes are there)")
    problems += _holes(file, packets, present if packets.stated is None else min(present, packets.stated))
    return Findings(tuple(problems))


def is_encrypted_asf(file: FileBytes) -> bool:
    """Return whether the header holds a licence of Windows Media DRM."""
    return any(kind in _ENCRYPTION for kind, _ in _header_objects(file))


def _holes(file: FileBytes, packets: _Packets, count: int) -> Iterator[str]:
    if file.at(packets.start, 3) != _PACKET_START:
        return
    times = [0.0]
    damaged = [0]  # of each hole, packets
    for number in range(count):
        offset = packets.start + number * packets.size
        if file.at(offset, 3) != _PACKET_START:
            damaged[-1] += 1
        elif damaged[-1]:
            damaged.append(0)
            times.append(_send_time_s(file, offset))
        elif len(damaged) == 1:
            times[0] = _send_time_s(file, offset)
    if total := sum(damaged):
        until = f"between {times[0]:.2f} and {times[1]:.2f} s" if len(times) > 1 else f"after {times[0]:.2f} s"
        yield f"packets that are damaged or out of place: {total} of {count}, first {until}"


def _send_time_s(file: FileBytes, packet: int) -> float:
    flags = file.at(packet + 3, 1)[0]
    at = packet + 5 + sum(_LENGTH_BYTES[flags >> shift & 3] for shift in (1, 3, 5))
    return int.from_bytes(file.at(at, 4), "little") / 1000


def _packets(file: FileBytes) -> _Packets | None:
    size, is_open = 0, False
    for kind, offset in _header_objects(file):
        if kind == _FILE_PROPERTIES:
            is_open = bool(int.from_bytes(file.at(offset + 88, 1), "little") & 1)
            size = int.from_bytes(file.at(offset + 92, 4), "little")
    data = int.from_bytes(file.at(16, 8), "little")
    header = file.at(data, _DATA_HEADER_BYTES)
    if len(header) < _DATA_HEADER_BYTES or header[:16] != _DATA or not size:
        return None
    stated = int.from_bytes(header[40:48], "little")
    return _Packets(data + _DATA_HEADER_BYTES, size, None if is_open or not stated else stated)


def _header_objects(file: FileBytes) -> Iterator[tuple[bytes, int]]:
    """Yield kind and offset of the objects in the header."""
    offset, stop = _HEADER_BYTES, min(file.size, int.from_bytes(file.at(16, 8), "little"))
    while offset + 24 <= stop:
        head = file.at(offset, 24)
        yield head[:16], offset
        offset += max(24, int.from_bytes(head[16:], "little"))
