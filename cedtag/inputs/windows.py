"""Windows, cut from the blocks of a recording."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cedtag.records import SAMPLE_RATE_HZ, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from cedtag.inputs.slices import Slice
    from cedtag.records import Source

# A shorter remainder is scored together with the sound before it: a tenth of a second is too little for a model.
SHORTEST_REMAINDER = SAMPLE_RATE_HZ


def sliding_windows(blocks: Iterable[NDArray[np.float32]], source: Source, size: int, hop: int) -> Iterator[Window]:
    """Cut `(n,)` blocks into windows of `size` samples, one every `hop` <= `size`, each as soon as it is full.

    Every sample is in at least one window and no window is padded: the last one is as long as what is left, and starts
    earlier when less than a second is left. How the samples are spread over blocks changes nothing. Blocks
    `(n, channels)` give windows of that shape.
    """
    shortest = min(size, SHORTEST_REMAINDER)
    buffer = np.empty(shortest + size, np.float32)  # always holds `shortest` samples before the next window
    first, filled, start, index = 0, 0, 0, 0  # buffer[:filled] are the samples from `first` on
    for block in blocks:
        if block.ndim != buffer.ndim:  # the first one
            buffer = np.empty((len(buffer), *block.shape[1:]), np.float32)
        taken = 0
        while taken < len(block):
            count = min(len(block) - taken, len(buffer) - filled)
            buffer[filled : filled + count] = block[taken : taken + count]
            filled += count
            taken += count
            while first + filled >= start + size:
                yield Window(source, index, start, buffer[start - first : start - first + size].copy())
                start += hop
                index += 1
            if (gone := start - shortest - first) > 0:
                buffer[: filled - gone] = buffer[gone:filled]
                first += gone
                filled -= gone
    end = first + filled
    covered = start - hop + size if index else 0
    if end > covered:
        start = max(0, min(start, end - shortest))
        yield Window(source, index, start, buffer[start - first : filled].copy())


def windows_of_part(
    blocks: Iterable[NDArray[np.float32]], part: Slice, source: Source, size: int, hop: int
) -> Iterator[Window]:
    """The windows of a part of a recording, as `sliding_windows` cuts it, at their places in the recording.

    Blocks are asked for no further than the part goes.
    """
    for window in sliding_windows(_cut(blocks, part), source, size, hop):
        yield replace(window, start=part.start + window.start)


def _cut(blocks: Iterable[NDArray[np.float32]], part: Slice) -> Iterator[NDArray[np.float32]]:
    at = 0
    for block in blocks:
        stop = len(block) if part.stop is None else min(len(block), part.stop - at)
        if len(inside := block[max(0, part.start - at) : stop]):
            yield inside
        at += len(block)
        if part.stop is not None and at >= part.stop:
            return


def by_channel(window: Window) -> Iterator[Window]:
    """Each channel of a window with samples `(n, channels)`, numbered from 1; one with samples `(n,)` as it is."""
    if window.samples.ndim == 1:
        yield window
        return
    for number, samples in enumerate(window.samples.T, 1):
        yield replace(window, samples=np.ascontiguousarray(samples), channel=number)
