"""Examples as features and targets, decoded once and held in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from cedtag.inputs.segments import ReadClips, read_clips

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
    keep_going: bool = True,
    on_clip: Callable[[], object] = lambda: None,
    on_recording: Callable[[ReadClips[Tensor]], object] = lambda read: None,
) -> tuple[Clips, list[Example]]:
    """Decode the examples; those that can be used, in their order, and their clips.

    The others are left out, or without `keep_going` an AudioError. `on_recording` is called with what became of each
    recording, in order, and `on_clip` after each of its clips.
    """

    def log_mel(_: Example, samples: NDArray[np.float32]) -> Tensor:
        return extractor.log_mel(torch.from_numpy(samples)[None])[0].half()

    def count(read: ReadClips[Tensor]) -> None:
        on_recording(read)
        for _ in read.values:
            on_clip()

    with ThreadPoolExecutor(jobs) as pool:
        features = read_clips(
            examples,
            extractor.front_end.patch_samples,
            log_mel,
            pool=pool,
            keep_going=keep_going,
            on_recording=count,
        )
    used = [example for example, one in zip(examples, features, strict=True) if one is not None]
    return Clips([one for one in features if one is not None], target_matrix(used, classes)), used


def target_matrix(examples: Sequence[Example], classes: Sequence[str]) -> Tensor:
    """1 where the class of the column is a label of the example of the row, else 0."""
    column = {name: index for index, name in enumerate(classes)}
    targets = torch.zeros(len(examples), len(classes))
    for row, example in enumerate(examples):
        for name in example.labels:
            targets[row, column[name]] = 1
    return targets
