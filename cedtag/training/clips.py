"""Examples as features and targets, decoded once and kept in a file, so that memory does not grow with the data."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from torch import Tensor

from cedtag.inputs.segments import ReadClips, read_clips
from cedtag.training import augment

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    from cedtag.inputs.manifest import Example
    from cedtag.model.features import CedFeatureExtractor
    from cedtag.training.clip_file import ClipFile, Place
    from cedtag.training.settings import Augment


class StoredFeatures(Sequence[Tensor]):
    """The features of clips in a file, each read when it is asked for."""

    def __init__(self, file: ClipFile, places: Sequence[Place]) -> None:
        self._file, self._places = file, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> StoredFeatures: ...
    def __getitem__(self, index: int | slice) -> Tensor | StoredFeatures:
        if isinstance(index, slice):
            return StoredFeatures(self._file, self._places[index])
        return torch.from_numpy(self._file.read(self._places[index]))


@dataclass(frozen=True, slots=True)
class Clips:
    """The log-mel `(mels, frames)` float16 in dB of each clip, and `targets (clips, classes)`: 1 for its labels."""

    features: Sequence[Tensor]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def sampling_weights(self) -> NDArray[np.float64]:
        """The probability `(clips,)` to sample each clip so that classes are equally frequent: by its rarest label."""
        weights = np.zeros(len(self))
        for column in self.targets.numpy().T:
            weights = np.maximum(weights, column / max(1, column.sum()))
        weights[weights == 0] = 1 / len(weights)
        return np.asarray(weights / weights.sum())


@dataclass(frozen=True, slots=True)
class CropFeed:
    """Batches of crops of clips after augmentation. A crop has from `crop_frames[0]` to `crop_frames[1]` frames."""

    clips: Clips
    augment: Augment
    crop_frames: tuple[int, int]

    def __len__(self) -> int:
        return len(self.clips)

    def lengths(self) -> NDArray[np.int64]:
        """One length `(clips,)`: whatever clips last, the crops of a batch are equally long."""
        return np.zeros(len(self), np.int64)

    def sampling_weights(self) -> NDArray[np.float64]:
        """The probability `(clips,)` to sample each clip so that classes are equally frequent."""
        return self.clips.sampling_weights()

    def batch(self, indices: Sequence[int], epoch: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Features `(clips, mels, frames)` and targets `(clips, classes)`; equal generators give equal ones."""
        clips, how = self.clips, self.augment
        crops = augment.sample_crops([clips.features[index] for index in indices], self.crop_frames, how, rng)
        crops, targets = augment.mix(crops, clips.targets[torch.as_tensor(indices)].float(), how, rng)
        return augment.mask(crops, how, rng), targets


def load_clips(
    examples: Sequence[Example],
    classes: Sequence[str],
    extractor: CedFeatureExtractor,
    file: ClipFile,
    *,
    jobs: int = 1,
    keep_going: bool = True,
    on_clip: Callable[[], object] = lambda: None,
    on_recording: Callable[[ReadClips[Place]], object] = lambda read: None,
) -> tuple[Clips, list[Example]]:
    """Decode the examples into a file; those that can be used, in their order, and their clips.

    The others are left out, or without `keep_going` an AudioError. `on_recording` is called with what became of each
    recording, in order, and `on_clip` after each of its clips.
    """

    def log_mel(_: Example, samples: NDArray[np.float32]) -> Place:
        return file.append(extractor.log_mel(torch.from_numpy(samples)[None])[0].half().numpy())

    def count(read: ReadClips[Place]) -> None:
        on_recording(read)
        for _ in read.values:
            on_clip()

    with ThreadPoolExecutor(jobs) as pool:
        places = read_clips(
            examples,
            extractor.front_end.patch_samples,
            log_mel,
            pool=pool,
            keep_going=keep_going,
            on_recording=count,
        )
    used = [example for example, one in zip(examples, places, strict=True) if one is not None]
    features = StoredFeatures(file, [place for place in places if place is not None])
    return Clips(features, target_matrix(used, classes)), used


def target_matrix(examples: Sequence[Example], classes: Sequence[str]) -> Tensor:
    """Whether the class of the column is a label of the example of the row."""
    column = {name: index for index, name in enumerate(classes)}
    targets = torch.zeros(len(examples), len(classes), dtype=torch.bool)
    for row, example in enumerate(examples):
        for name in example.labels:
            targets[row, column[name]] = True
    return targets
