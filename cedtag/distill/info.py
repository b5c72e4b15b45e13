"""What a store holds, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.distill.store import DistillStore
from cedtag.records import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

PCM_BYTES = 2  # of a sample


@dataclass(frozen=True, slots=True)
class DistillStoreInfo:
    """Counts and sizes of a store.

    `pcm_share` is the size of the parts as a share of the clips' 16-bit PCM at 16 kHz. `entropy_bits` is the mean over
    the views of the entropy of their stored scores, each class by itself: 0 where the teachers are always sure, and
    what the loss of a student cannot fall below.
    """

    clips: int
    epochs: int
    top_k: int
    classes: int
    seed: int
    chunk_s: float
    teachers: tuple[tuple[str, str], ...]
    parts: int
    missing_parts: int
    recordings: int
    failed: int
    partial: int
    left_out: int
    audio_s: float
    bytes: int
    bytes_per_clip: float
    pcm_share: float
    entropy_bits: float

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name; teachers are objects with a name and a hash."""
        teachers = [{"name": name, "hash": digest} for name, digest in self.teachers]
        return {one.name: getattr(self, one.name) for one in fields(self)} | {"teachers": teachers}


def distill_store_info(path: str | os.PathLike[str]) -> DistillStoreInfo:
    """What a store holds; InputError where none is, or a part is damaged."""
    store = DistillStore(path)
    clips = samples = num_bytes = failed = partial = left_out = 0
    entropy = 0.0
    for part in store.parts:
        block = store.block(part)
        clips += len(block.clips)
        samples += sum(one.clip.stop - one.clip.start for one in block.clips)
        entropy += sum(float(_entropy_bits(one.values).mean()) for one in block.clips)
        num_bytes += part.stat().st_size
        failed, partial, left_out = (
            failed + len(block.failed),
            partial + len(block.partial),
            left_out + len(block.left_out),
        )
    facts = store.facts
    return DistillStoreInfo(
        clips=clips,
        epochs=facts.epochs,
        top_k=facts.top_k,
        classes=len(facts.classes),
        seed=facts.seed,
        chunk_s=facts.chunk / SAMPLE_RATE_HZ,
        teachers=facts.teachers,
        parts=len(store.parts),
        missing_parts=store.missing_blocks,
        recordings=facts.recordings,
        failed=failed,
        partial=partial,
        left_out=left_out,
        audio_s=round(samples / SAMPLE_RATE_HZ, 3),
        bytes=num_bytes,
        bytes_per_clip=round(num_bytes / max(1, clips), 1),
        pcm_share=round(num_bytes / max(1, samples * PCM_BYTES), 6),
        entropy_bits=round(entropy / max(1, clips), 4),
    )


def _entropy_bits(values: NDArray[np.float16]) -> NDArray[np.float64]:
    """The entropy `(epochs,)` of probabilities `(epochs, k)`, summed over the classes."""
    inner = np.clip(values.astype(np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(-(inner * np.log2(inner) + (1 - inner) * np.log2(1 - inner)).sum(-1))
