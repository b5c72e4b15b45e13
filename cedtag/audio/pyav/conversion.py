"""Decoded frames as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from av.audio.plane import AudioPlane

from cedtag.audio.limits import FRAMES_PER_READ

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av
    from numpy.typing import NDArray

    from cedtag.audio.mono import Samples

# The numpy type and the full scale of each sample format, planar or not.
_FORMATS = {
    "u8": ("u1", 1 << 7),
    "s16": ("i2", 1 << 15),
    "s32": ("i4", 1 << 31),
    "s64": ("i8", 1 << 63),
    "flt": ("f4", 1),
    "dbl": ("f8", 1),
}


class Assembler:
    """Joins frames like `model`: resampling a few hundred samples at a time costs more than decoding them.

    What `add` and `rest` give is overwritten by what comes next.
    """

    def __init__(self, model: av.AudioFrame) -> None:
        self.rate_hz, self.channels = model.sample_rate, model.layout.nb_channels
        self._format = model.format.name
        self._is_planar = model.format.is_planar and self.channels > 1
        self._kind, full_scale = _FORMATS[self._format.removesuffix("p")]
        self._scale = np.float32(1 / full_scale)
        self._zero = np.float32(1 << 7 if self._kind == "u1" else 0)
        self._stored = np.empty((self.channels, 2 * FRAMES_PER_READ), np.float32)
        self._size = 0

    def takes(self, frame: av.AudioFrame) -> bool:
        """Return whether a frame is like the model."""
        return bool(
            frame.sample_rate == self.rate_hz
            and frame.format.name == self._format
            and frame.layout.nb_channels == self.channels
        )

    def add(self, frame: av.AudioFrame) -> Iterator[Samples]:
        """Append a frame, and yield `(n, channels)` float32, full scale 1, when there is enough."""
        self._append(frame)
        if self._size >= FRAMES_PER_READ:
            yield self._taken()

    def add_silence(self, num_frames: int) -> Iterator[Samples]:
        """Append silence, and yield like `add`."""
        while num_frames > 0:
            begin = self._size
            self._size = min(begin + num_frames, max(begin, FRAMES_PER_READ))
            self._stored[:, begin : self._size] = self._zero
            num_frames -= self._size - begin
            if self._size >= FRAMES_PER_READ:
                yield self._taken()

    def rest(self) -> Iterator[Samples]:
        """Yield what has not come yet."""
        if self._size:
            yield self._taken()

    def _append(self, frame: av.AudioFrame) -> None:
        begin, num_frames = self._size, frame.samples
        self._size += num_frames
        if self._size > self._stored.shape[1]:
            larger = np.empty((self.channels, self._size), np.float32)
            larger[:, :begin] = self._stored[:, :begin]
            self._stored = larger
        # Not by `frame.to_ndarray()` or `frame.planes`: of eight planar channels they make nine, the last from a wild
        # pointer (PyAV 18.1), and of more they read beyond the list.
        if self._is_planar:
            for place in range(self.channels):
                self._store(self._stored[place, begin : self._size], self._plane(frame, place, num_frames))
        else:
            packed = self._plane(frame, 0, num_frames * self.channels)
            self._store(self._stored[:, begin : self._size], packed.reshape(-1, self.channels).T)

    def _plane(self, frame: av.AudioFrame, place: int, size: int) -> NDArray[Any]:
        plane: NDArray[Any] = np.frombuffer(cast("Any", AudioPlane(frame, place)), self._kind, size)
        return plane

    def _store(self, place: Samples, samples: NDArray[Any]) -> None:
        if self._kind == "f8":
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is reported as that
                place[:] = samples
        else:
            place[:] = samples

    def _taken(self) -> Samples:
        samples = self._stored[:, : self._size]
        self._size = 0
        if self._zero:
            samples -= self._zero
        if self._scale != 1:
            samples *= self._scale
        taken: Samples = samples.T
        return taken
