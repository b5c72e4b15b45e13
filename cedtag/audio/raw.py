"""Headerless PCM, in a format that the user gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cedtag.audio.containers.file_bytes import HeadBytes
from cedtag.audio.containers.identify import describe_if_no_pcm
from cedtag.audio.limits import FRAMES_PER_READ, MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ
from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.mono import Samples

# How much of a stream is looked at for a container: four MPEG frames.
_HEAD_BYTES = 1 << 13

# The numpy type of one stored sample, and what full scale is divided by.
_ENCODINGS = {
    "s8": ("i1", 1 << 7),
    "u8": ("u1", 1 << 7),
    "s16le": ("<i2", 1 << 15),
    "s16be": (">i2", 1 << 15),
    "s24le": ("<i3", 1 << 31),  # no numpy type: widened to 32 bits, the low byte zero
    "s24be": (">i3", 1 << 31),
    "s32le": ("<i4", 1 << 31),
    "s32be": (">i4", 1 << 31),
    "f32le": ("<f4", 1),
    "f32be": (">f4", 1),
    "f64le": ("<f8", 1),
    "f64be": (">f8", 1),
}


@dataclass(frozen=True, slots=True)
class RawFormat:
    """How headerless PCM is stored: interleaved samples of `encoding`, such as `s16le`, at `rate_hz`."""

    encoding: str
    rate_hz: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        return int(_ENCODINGS[self.encoding][0][-1]) * self.channels


def parse_raw_format(text: str) -> RawFormat:
    """Read `ENCODING,RATE,CHANNELS`, such as `s16le,16000,1`."""
    encoding, *numbers = [part.strip() for part in text.split(",")]
    if encoding not in _ENCODINGS:
        raise InputError(f"raw format {text!r}: no encoding {encoding!r}; use one of {', '.join(_ENCODINGS)}")
    if len(numbers) != 2 or not all(re.fullmatch("[0-9]{1,9}", number) for number in numbers):
        raise InputError(f"raw format {text!r}: write ENCODING,RATE,CHANNELS, such as s16le,16000,1")
    rate_hz, channels = int(numbers[0]), int(numbers[1])
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise InputError(f"raw format {text!r}: the rate is outside {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz")
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(f"raw format {text!r}: give 1 to {MAX_CHANNELS} channels")
    return RawFormat(encoding, rate_hz, channels)


class RawDecoder:
    """Frames of headerless PCM from a binary stream, each piece as soon as the stream gives it."""

    declared_frames: int | None = None
    problems: tuple[str, ...] = ()

    def __init__(self, stream: BinaryIO, raw: RawFormat) -> None:
        self._stream = stream
        self._raw = raw
        self.rate_hz = raw.rate_hz
        self.channels = raw.channels
        self._head = b""

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence where the stream, by its first bytes, certainly is no PCM."""
        what = describe_if_no_pcm(HeadBytes(self._head))
        return (f"begins like {what}, and its bytes were scored as headerless PCM: is it that?",) if what else ()

    def frames(self) -> Iterator[Samples]:
        """Yield `(n, channels)` float32 in [-1, 1]; bytes after the last whole frame become a problem."""
        frame_bytes = self._raw.frame_bytes
        # One system call for each piece: a buffered `read(n)` would sit on live audio until all n bytes are there.
        read = getattr(self._stream, "read1", self._stream.read)
        rest = b""
        while data := read(FRAMES_PER_READ * frame_bytes):
            self._head += data[: _HEAD_BYTES - len(self._head)]
            data = rest + data
            whole = len(data) - len(data) % frame_bytes
            rest = data[whole:]
            if whole:
                yield as_float32(data[:whole], self._raw)
        if rest:
            self.problems = (f"ends inside a frame ({len(rest)} of {frame_bytes} bytes)",)

    def close(self) -> None:
        self._stream.close()


def as_float32(data: bytes, raw: RawFormat) -> Samples:
    """Return the whole frames in `data` as `(n, channels)` float32 in [-1, 1]."""
    kind, full_scale = _ENCODINGS[raw.encoding]
    stored = _widened(data, kind) if kind.endswith("i3") else np.frombuffer(data, kind)
    with np.errstate(over="ignore"):  # a float64 beyond float32's range becomes infinite, and is reported as that
        samples = stored.astype(np.float32)
    if raw.encoding == "u8":
        samples -= np.float32(1 << 7)
    if full_scale != 1:
        samples *= np.float32(1 / full_scale)
    return samples.reshape(-1, raw.channels)


def _widened(data: bytes, kind: str) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Return 24-bit integers as 32-bit ones, in the upper three bytes."""
    little = kind.startswith("<")
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)[:, :: 1 if little else -1]
    return wide.reshape(-1).view("<i4")
