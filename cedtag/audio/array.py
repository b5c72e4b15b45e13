"""Samples that are in memory already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio.limits import FRAMES_PER_READ, check_limits
from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cedtag.audio.mono import Samples


class ArrayDecoder:
    """Frames of `(n,)` or `(n, channels)` floating-point samples in [-1, 1]."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __init__(self, samples: NDArray[np.floating], rate_hz: int, name: str) -> None:
        """InputError unless the array has one of these shapes, as soundfile gives them, and a floating-point type."""
        if samples.ndim not in (1, 2) or samples.dtype.kind != "f":
            raise InputError(
                f"the audio is {samples.dtype} of shape {samples.shape}, expected floating point in [-1, 1] of shape "
                "(n,) or (n, channels); scale integers by their full range: int16_audio.astype('float32') / 32768"
            )
        self._frames = samples if samples.ndim == 2 else samples[:, None]
        self.rate_hz, self.channels = rate_hz, self._frames.shape[1]
        self.declared_frames: int | None = len(samples)
        check_limits(name, self.rate_hz, self.channels)

    def frames(self) -> Iterator[Samples]:
        """Yield pieces `(m, channels)` float32."""
        for start in range(0, len(self._frames), FRAMES_PER_READ):
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is reported as that
                yield self._frames[start : start + FRAMES_PER_READ].astype(np.float32)

    def close(self) -> None:
        """Nothing to close."""
