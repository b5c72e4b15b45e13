"""The samples of labelled clips, read from their recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio import open_recording
from cedtag.errors import InputError
from cedtag.records import SAMPLE_RATE_HZ, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cedtag.inputs.manifest import Example


def read_segments(segments: Sequence[Example], shortest: int) -> Iterator[NDArray[np.float32]]:
    """Yield the samples `(n,)` of each of these examples, which all lie in one recording.

    One that has fewer than `shortest` samples, the length of a patch, is an error.
    """
    first = segments[0]
    with open_recording(Source(first.path, first.name, first.name)) as recording:
        samples = np.concatenate(list(recording.blocks()))
    for segment in segments:
        part = samples[segment.start : segment.stop]
        if len(part) < shortest:
            raise InputError(
                f"{segment.name}: {len(part) / SAMPLE_RATE_HZ:.2f} s of audio from second "
                f"{segment.start / SAMPLE_RATE_HZ:g} on; a clip must last one patch, "
                f"{shortest / SAMPLE_RATE_HZ:g} s; take it out of the data"
            )
        yield part
