"""Recordings in containers that only FFmpeg writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray


def encode(path: Path, encoder: str, rate_hz: int, blocks: Iterable[NDArray[np.float32]]) -> None:
    """Write stereo `blocks` `(n, 2)` at 128 kbit/s; the suffix of `path` decides the container."""
    with av.open(path, "w", options={"fflags": "bitexact"}) as out:
        stream = out.add_stream(encoder, rate=rate_hz, layout="stereo", bit_rate=128_000)
        resampler = av.AudioResampler(format=stream.codec_context.format or "fltp", layout="stereo", rate=rate_hz)
        position = 0
        for block in blocks:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = rate_hz, position
            position += len(block)
            for piece in resampler.resample(frame):
                out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
