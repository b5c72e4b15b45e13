"""Views of clips: what an epoch shows of a clip in the place of the clip itself, drawn again from a seed at any time.

A view is a circular shift of the waveform and masks over the log-mel of the shifted one. It depends on the seed, the
clip and the epoch alone: not on torch, NumPy's version, the number of threads, the order, or what else there is. All
numbers come from Philox's raw stream, which NumPy keeps for ever, and not from what it makes of it.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

MASKED_FRAMES = 192  # at most, and no more than half of the clip's
MASKED_MELS_SHARE = 24 / 64
NUM_SUMS = 4
# Sums of what two machines decode of one file differ by rounding, some 1e-7 of full scale a sample (soxr and lossy
# codecs compute in float32); another resampler, codec or shift changes them by shares of the loudness.
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-3, 2e-6
_SIGNS_EPOCH = 2**63  # of the signs of a checksum: no epoch of a training


@dataclass(frozen=True, slots=True)
class Clip:
    """Samples `start` to `stop` of the recording `name`, which is its path below the data, with slashes."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class View:
    """How far a clip is shifted, in samples, and which frames and mel bins are masked: from the first to the second."""

    shift: int
    frames: tuple[int, int]
    mels: tuple[int, int]

    def shifted(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The clip `(n,)` as a ring that begins elsewhere; what leaves at one end comes in at the other."""
        return np.roll(samples, self.shift)

    def masked(self, features: Tensor) -> Tensor:
        """A copy of the log-mel `(mels, frames)` of the shifted clip, in which the masks have the mean of it all."""
        masked, mean = features.clone(), features.mean()
        masked[:, slice(*self.frames)] = mean
        masked[slice(*self.mels)] = mean
        return masked


def draw_view(seed: int, clip: Clip, epoch: int, *, num_mels: int = 64, hop_size: int = 160) -> View:
    """The view of a clip in an epoch, for a front end with so many mel bins, and frames every `hop_size` samples."""
    raw = _philox(seed, clip, epoch).random_raw(5)
    num_samples = clip.stop - clip.start
    num_frames = num_samples // hop_size + 1
    shift = _below(raw[0], num_samples // 2 * 2 + 1) - num_samples // 2
    frames = _below(raw[1], min(MASKED_FRAMES, num_frames // 2) + 1)
    mels = _below(raw[2], int(num_mels * MASKED_MELS_SHARE) + 1)
    first_frame, first_mel = _below(raw[3], num_frames - frames + 1), _below(raw[4], num_mels - mels + 1)
    return View(shift, (first_frame, first_frame + frames), (first_mel, first_mel + mels))


@dataclass(frozen=True, slots=True)
class Checksum:
    """By what a view is recognised: a CRC-32 of its numbers, and sums of the shifted samples, with random signs.

    No hash of the samples would do: processors round them differently.
    """

    numbers: int
    sums: tuple[float, ...]

    def to_bytes(self) -> bytes:
        """20 bytes."""
        return self.numbers.to_bytes(4, "little") + np.array(self.sums, "<f4").tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Checksum:
        """The checksum that `to_bytes` wrote."""
        return cls(int.from_bytes(stored[:4], "little"), tuple(np.frombuffer(stored[4:], "<f4").tolist()))

    def is_of(self, view: View, seed: int, clip: Clip, shifted: NDArray[np.float32]) -> bool:
        """Whether this is the checksum of that view: equal numbers, and sums that differ by rounding alone."""
        loudness = float(np.sqrt(np.mean(shifted.astype(np.float64) ** 2)))
        near = ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * loudness
        found = signed_sums(seed, clip, shifted)
        return self.numbers == numbers_checksum(view, clip) and all(
            abs(one - other) <= near for one, other in zip(self.sums, found.tolist(), strict=True)
        )


def checksum_of(view: View, seed: int, clip: Clip, shifted: NDArray[np.float32]) -> Checksum:
    """The checksum of a view of a clip, with its shifted samples `(n,)`."""
    return Checksum(numbers_checksum(view, clip), tuple(signed_sums(seed, clip, shifted).tolist()))


def numbers_checksum(view: View, clip: Clip) -> int:
    """A CRC-32 of the place of a clip and of the numbers of a view of it."""
    numbers = (clip.start, clip.stop, view.shift, *view.frames, *view.mels)
    return zlib.crc32(np.array(numbers, "<i8").tobytes())


def signed_sums(seed: int, clip: Clip, shifted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Four numbers `(4,)`: of each quarter, the sum of its samples with random signs, per root of their number."""
    words = _philox(seed, clip, _SIGNS_EPOCH).random_raw(len(shifted) // 64 + 1)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), count=len(shifted))
    signed = np.where(bits, shifted, -shifted).astype(np.float64)
    ends = [len(shifted) * quarter // NUM_SUMS for quarter in range(NUM_SUMS + 1)]
    return np.array([signed[a:b].sum() / max(1, b - a) ** 0.5 for a, b in pairwise(ends)], np.float32)


def _philox(seed: int, clip: Clip, epoch: int) -> np.random.Philox:
    """The stream of one view: its key is a hash of seed and clip, and its counter begins with the epoch."""
    digest = hashlib.blake2b(b"%d\0%d\0%b" % (seed, clip.start, os.fsencode(clip.name)), digest_size=16).digest()
    key = np.frombuffer(digest, "<u8").astype(np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, 0, epoch], np.uint64))


def _below(raw: np.uint64, bound: int) -> int:
    """A number from 0 to below `bound`, of 64 random bits; none is likelier than others by more than 2^-40."""
    return int(raw) * bound >> 64
