"""Examples as features and targets, decoded once and held in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import torch

from cedtag.inputs.segments import read_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from cedtag.inputs.manifest import Example
    from cedtag.model.features import CedFeatureExtractor


@dataclass(frozen=True, slots=True)
class Clips:
    """The log-mel `(mels, frames)` float16 in dB of each clip, and `targets (clips, classes)`: 1 for its labels."""

    features: list[Tensor]
    targets: Tensor

    def sampling_weights(self) -> NDArray[np.float64]:
        """The probability `(clips,)` to sample each clip so that classes are equally frequent: by its rarest label."""
        counts = self.targets.sum(0).clamp(min=1)
        weights = (self.targets / counts).amax(1).double().numpy()
        weights[weights == 0] = 1 / len(weights)
        return np.asarray(weights / weights.sum())


def load_clips(
    examples: Sequence[Example],
    classes: Sequence[str],
    extractor: CedFeatureExtractor,
    *,
    jobs: int = 1,
    on_clip: Callable[[], object] = lambda: None,
) -> Clips:
    """Decode all examples; one that is shorter than a patch is an InputError."""
    targets = target_matrix(examples, classes)
    files = [list(segments) for _, segments in groupby(examples, key=lambda example: example.path)]
    features: list[Tensor] = []
    with ThreadPoolExecutor(jobs) as pool:
        for spectrograms in pool.map(lambda segments: _log_mels(segments, extractor), files):
            features += spectrograms
            for _ in spectrograms:
                on_clip()
    return Clips(features, targets)


def target_matrix(examples: Sequence[Example], classes: Sequence[str]) -> Tensor:
    """1 where the class of the column is a label of the example of the row, else 0."""
    column = {name: index for index, name in enumerate(classes)}
    targets = torch.zeros(len(examples), len(classes))
    for row, example in enumerate(examples):
        for name in example.labels:
            targets[row, column[name]] = 1
    return targets


def _log_mels(segments: Sequence[Example], extractor: CedFeatureExtractor) -> list[Tensor]:
    clips = read_segments(segments, extractor.front_end.patch_samples)
    return [extractor.log_mel(torch.from_numpy(samples)[None])[0].half() for samples in clips]
