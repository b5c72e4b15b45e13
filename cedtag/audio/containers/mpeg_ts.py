"""MPEG transport streams: packets of one length, numbered from 0 to 15 in each of the streams that they carry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.units import Units, findings_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes

_PACKET_BYTES = 188
# Cameras write a time before each packet, receivers a checksum behind it: (bytes before, bytes of both).
_SHAPES = ((0, 188), (4, 192), (0, 204))
_IN_A_ROW = 6
_PACKETS_PER_READ = 1024
_PACKETS_OF_TABLES = 20_000
_SOUND_TYPES = frozenset([0x03, 0x04, 0x0F, 0x11, 0x1C, *range(0x80, 0x88), 0xA1, 0xA2])
_PRIVATE_TYPE = 0x06
# Descriptors that make a private stream one of sound: AC-3, E-AC-3, DTS, AAC, or a registered name.
_SOUND_DESCRIPTORS = re.compile(rb"[\x6a\x7a-\x7c]|\x05[\x04-\xff](?:Opus|AC-3|EAC3|BSSD|DTS)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where the first packet begins, and how packets follow one another."""

    start: int
    before: int
    stride: int


class _Sound:
    """What the packets of one stream of sound show as they come by."""

    def __init__(self) -> None:
        self.losses = self.errors = 0
        self.lost_after_s: float | None = None
        self.missing_bytes = 0  # of the piece of sound that began last
        self._number: int | None = None
        self._first_s: float | None = None
        self._time_s = 0.0

    def packet(self, packet: bytes) -> None:
        self.errors += packet[1] >> 7
        if not packet[3] & 0x10:
            return
        payload, begins, number = _payload(packet), packet[1] & 0x40, packet[3] & 15
        # A packet may come twice. A stream that is joined to another begins anew with a whole piece of sound.
        follows = self._number is None or number in (self._number, self._number + 1 & 15) or (begins and not number)
        if not (follows or _announces_gap(packet)) or (begins and self.missing_bytes > 0):
            self.losses += 1
            self.lost_after_s = self._time_s if self.lost_after_s is None else self.lost_after_s
            self.missing_bytes = 0
        if begins:
            self._begin(payload)
        if number != self._number:
            self.missing_bytes -= len(payload)
        self._number = number

    def _begin(self, payload: bytes) -> None:
        stated = int.from_bytes(payload[4:6], "big")
        self.missing_bytes = 6 + stated if stated else 0
        if (time_s := _time_s(payload)) is not None:
            self._first_s = time_s if self._first_s is None else self._first_s
            self._time_s = time_s - self._first_s


def inspect_mpeg_ts(file: FileBytes) -> Findings:
    """Walk the packets: none may be cut or damaged, and those of sound must be numbered without a gap."""
    shape = _shape(file)
    if shape is None:
        return Findings(("has no packets in a row",))
    sounds = {number: _Sound() for number in _sound_streams(file, shape)}

    def run_bytes(file: FileBytes, offset: int) -> int:
        data = file.at(offset, _PACKETS_PER_READ * shape.stride)
        syncs = data[shape.before :: shape.stride]
        in_a_row = len(syncs) - len(syncs.lstrip(b"G"))
        return max(1, min(in_a_row, len(data) // shape.stride)) * shape.stride if in_a_row else 0

    def visit(offset: int, size: int) -> None:
        data = file.at(offset, size)
        for number, sound in sounds.items():
            for packet in _packets_of(data, shape, number):
                sound.packet(packet)

    sync = rb"[\x00-\xff]{%d}G[\x00-\xff]{%d}G" % (shape.before, shape.stride - 1)
    units = Units("TS packet", run_bytes, re.compile(sync, re.DOTALL), shape.before + shape.stride + 1)
    findings = findings_of(file, units, walk(file, units, shape.start, file.size, visit))
    return Findings((*findings.problems, *_losses(list(sounds.values()))), findings.warnings)


def is_encrypted_mpeg_ts(file: FileBytes) -> bool:
    """Return whether the first packets of sound are scrambled, as in broadcasts that are paid for."""
    shape = _shape(file)
    if shape is None:
        return False
    data = file.at(shape.start, _PACKETS_OF_TABLES * shape.stride)
    return any(
        packet[3] & 0xC0 for number in _sound_streams(file, shape) for packet in _packets_of(data, shape, number)
    )


def _losses(sounds: list[_Sound]) -> Iterator[str]:
    if losses := sum(sound.losses for sound in sounds):
        first = min(sound.lost_after_s for sound in sounds if sound.lost_after_s is not None)
        yield f"packets of sound are missing in {losses} places, first after {first:.2f} s"
    elif (missing := max((sound.missing_bytes for sound in sounds), default=0)) > 0:
        yield f"its last piece of sound is cut off (by {missing} bytes)"
    if errors := sum(sound.errors for sound in sounds):
        yield f"packets of sound that were received with errors: {errors}"


def _shape(file: FileBytes) -> _Shape | None:
    head = file.at(0, _IN_A_ROW * 204)
    for before, stride in _SHAPES:
        for first in range(stride):
            if head[first::stride][:_IN_A_ROW] == b"G" * _IN_A_ROW:
                return _Shape(first - before if first >= before else first - before + stride, before, stride)
    return None


def _packets_of(data: bytes, shape: _Shape, stream: int) -> Iterator[bytes]:
    """Yield the packets of one stream; the others cost nothing: they are skipped by searching for its number."""
    high, low = data[shape.before + 1 :: shape.stride], data[shape.before + 2 :: shape.stride]
    place = -1
    while (place := low.find(stream & 0xFF, place + 1)) >= 0:
        if high[place] & 0x1F == stream >> 8:
            start = place * shape.stride + shape.before
            packet = data[start : start + _PACKET_BYTES]
            if len(packet) == _PACKET_BYTES:
                yield packet


def _sound_streams(file: FileBytes, shape: _Shape) -> set[int]:
    """Return the numbers of the streams of sound, from the tables of the programs at the beginning of the file."""
    data = file.at(shape.start, _PACKETS_OF_TABLES * shape.stride)
    found: set[int] = set()
    for table in {number for packet in _packets_of(data, shape, 0) for number in _programs(_section(packet))}:
        for packet in _packets_of(data, shape, table):
            found.update(_sounds(_section(packet)))
    return found


def _section(packet: bytes) -> bytes:
    """Return the table that begins in a packet, without its checksum; nothing where none begins."""
    payload = _payload(packet)
    if not packet[1] & 0x40 or not payload:
        return b""
    section = payload[1 + payload[0] :]
    return section[: max(0, 3 + (int.from_bytes(section[1:3], "big") & 0xFFF) - 4)]


def _programs(section: bytes) -> Iterator[int]:
    if section[:1] == b"\0":
        for at in range(8, len(section) - 3, 4):
            program, table = (
                int.from_bytes(section[at : at + 2], "big"),
                int.from_bytes(section[at + 2 : at + 4], "big"),
            )
            if program:
                yield table & 0x1FFF


def _sounds(section: bytes) -> Iterator[int]:
    if section[:1] != b"\2":
        return
    at = 12 + (int.from_bytes(section[10:12], "big") & 0xFFF)
    while at + 5 <= len(section):
        kind, number = section[at], int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
        descriptors = section[at + 5 : at + 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0xFFF)]
        if kind in _SOUND_TYPES or (kind == _PRIVATE_TYPE and _SOUND_DESCRIPTORS.match(descriptors)):
            yield number
        at += 5 + len(descriptors)


def _payload(packet: bytes) -> bytes:
    return packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]


def _announces_gap(packet: bytes) -> bool:
    return bool(packet[3] & 0x20 and packet[4] and packet[5] & 0x80)


def _time_s(pes: bytes) -> float | None:
    """Return the presentation time at which a piece of sound begins, or None."""
    if pes[:3] != b"\0\0\1" or len(pes) < 14 or not pes[7] & 0x80:
        return None
    ticks = (pes[9] >> 1 & 7) << 30 | pes[10] << 22 | pes[11] >> 1 << 15 | pes[12] << 7 | pes[13] >> 1
    return ticks / 90_000
