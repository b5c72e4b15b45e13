"""What stands in Ogg: the codecs, their header packets, and how many samples a packet holds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from cedtag.audio.containers.flac_frame import block_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Codec:
    """`rate_hz` counts granules; `delay` of them, at the beginning, are not played.

    `num_samples` is that of consecutive packets, given by their first 16 bytes, to a decoder which begins with them.
    """

    name: str
    rate_hz: int
    num_samples: Callable[[Sequence[bytes]], int]
    delay: int = 0


def codec_name(first_packet: bytes) -> str | None:
    """Return the name of the codec of a stream that begins with this packet; None for no sound, or one not known."""
    return next((name for start, name in _FIRST_PACKETS.items() if first_packet.startswith(start)), None)


def are_complete(name: str, headers: Sequence[bytes]) -> bool:
    """Return whether these are all header packets of a stream."""
    if name == "FLAC":
        last = headers[-1][:1] if len(headers) > 1 else headers[0][13:14]
        return last >= b"\x80"
    if name == "Speex":
        return len(headers) >= 2 + int.from_bytes(headers[0][68:72], "little")
    return len(headers) == (3 if name == "Vorbis" else 2)


def read_codec(name: str, headers: Sequence[bytes]) -> Codec | None:
    """Return what the header packets of a stream state; None where they make no sense."""
    try:
        codec = _READERS[name](headers)
    except IndexError:
        return None
    return codec if codec is not None and codec.rate_hz else None


def without_delay(name: str, headers: Sequence[bytes]) -> list[bytes]:
    """Return header packets of which a decoder plays every sample."""
    first = headers[0]
    if name == "Opus":
        first = first[:10] + bytes(2) + first[12:]
    return [first, *headers[1:]]


def _vorbis(headers: Sequence[bytes]) -> Codec | None:
    identification, setup = headers[0], headers[2]
    small, large = 1 << (identification[28] & 15), 1 << (identification[28] >> 4)
    flags = _block_flags(setup)
    mode_bits = max(0, len(flags) - 1).bit_length()

    def num_samples(packets: Sequence[bytes]) -> int:
        modes = [packet[0] >> 1 & (1 << mode_bits) - 1 if packet else len(flags) for packet in packets]
        sizes = [large if flags[mode] else small for mode in modes if mode < len(flags)]
        return sum((one + next_) // 4 for one, next_ in pairwise(sizes))

    return Codec("Vorbis", int.from_bytes(identification[12:16], "little"), num_samples) if flags else None


def _block_flags(setup: bytes) -> list[bool]:
    """Return whether each mode has the large block; the modes are the last thing in the setup packet.

    Only from its end can they be read without reading all that is before them; see FFmpeg's Vorbis parser.
    """
    bits = int.from_bytes(setup, "little")
    at = bits.bit_length() - 1  # the highest bit marks the end
    found: list[bool] = []
    flags: list[bool] = []
    while at >= 97 and len(flags) < 64:
        mode = bits >> at - 41 & (1 << 41) - 1  # the flag, two types of 16 bits that are 0, and a mapping of 8 bits
        if mode >> 33 > 63 or mode >> 1 & 0xFFFFFFFF:
            break
        at -= 41
        flags.insert(0, bool(mode & 1))
        if (bits >> at - 6 & 63) + 1 == len(flags):
            found = list(flags)
    return found


def _opus(headers: Sequence[bytes]) -> Codec:
    return Codec("Opus", 48_000, _opus_samples, delay=headers[0][10] | headers[0][11] << 8)


def _opus_samples(packets: Sequence[bytes]) -> int:
    total = 0
    for packet in packets:
        config, code = (packet[0] >> 3, packet[0] & 3) if packet else (0, 0)
        if config < 12:
            size = (480, 960, 1920, 2880)[config & 3]
        else:
            size = (480, 960)[config & 1] if config < 16 else 120 << (config & 3)
        count = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[code] if packet else 0
        total += size * count
    return total


def _flac(headers: Sequence[bytes]) -> Codec:
    info = headers[0][17:]  # of the stream, after the mapping's own header
    rate_hz = info[10] << 12 | info[11] << 4 | info[12] >> 4
    return Codec("FLAC", rate_hz, lambda packets: sum(map(block_size, packets)))


def _speex(headers: Sequence[bytes]) -> Codec:
    rate_hz, frame, frames = (int.from_bytes(headers[0][at : at + 4], "little") for at in (36, 56, 64))
    return Codec("Speex", rate_hz, lambda packets: len(packets) * frame * max(1, frames))


_FIRST_PACKETS = {b"\x01vorbis": "Vorbis", b"OpusHead": "Opus", b"\x7fFLAC": "FLAC", b"Speex   ": "Speex"}
_READERS = {"Vorbis": _vorbis, "Opus": _opus, "FLAC": _flac, "Speex": _speex}
