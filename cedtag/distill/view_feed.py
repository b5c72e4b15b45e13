"""Batches of views with the probabilities that teachers gave them: the same views again, or on purpose others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from cedtag.distill.views import draw_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor

    from cedtag.distill.views import Clip
    from cedtag.training.clip_file import ClipFile, Place


@dataclass(frozen=True, slots=True)
class Seen:
    """How batches are made of what is stored.

    `num_epochs` are the views of each clip, drawn with `seed` for frames of `hop_size` samples. Features are cut to
    whole patches of `patch_frames`, as models do. Without `consistent` other views are learned with the stored
    probabilities. `labels_weight` is the share of the labels in the targets of clips that have some.
    """

    num_classes: int
    num_epochs: int
    seed: int
    hop_size: int = 160
    patch_frames: int = 16
    consistent: bool = True
    labels_weight: float = 0.0


@dataclass(slots=True)
class ViewFeed:
    """Clips in two files: the log-mel `(epochs, mels, frames)` of their shifted waveforms, and the teachers' best.

    Those are int16 `(epochs, 2, k)`: indices of classes, and the bits of their float16 probabilities.
    """

    seen: Seen
    features: ClipFile
    targets: ClipFile
    clips: list[Clip] = field(default_factory=list)
    feature_places: list[Place] = field(default_factory=list)
    target_places: list[Place] = field(default_factory=list)
    labels: Sequence[Sequence[int]] = ()

    def put(self, clip: Clip, spectra: Place, best: tuple[NDArray[np.int16], NDArray[np.float16]]) -> None:
        """Append a clip by the place of its spectra, with indices and probabilities `(epochs, k)` of its views."""
        indices, values = best
        self.clips.append(clip)
        self.feature_places.append(spectra)
        self.target_places.append(self.targets.append(np.stack([indices, values.view(np.int16)], axis=1)))

    def __len__(self) -> int:
        return len(self.clips)

    def lengths(self) -> NDArray[np.int64]:
        """The patches `(clips,)` that each clip is long."""
        return np.array([self._patches(place) for place in self.feature_places], np.int64)

    def sampling_weights(self) -> NDArray[np.float64]:
        """Equal ones: without labels there is no class to balance."""
        return np.full(len(self), 1 / len(self))

    def first_views(self) -> Iterator[Tensor]:
        """Yield the log-mel `(mels, frames)` of each clip's first view, without its masks."""
        yield from (torch.from_numpy(self.features.read_part(place, 0)) for place in self.feature_places)

    def entropy(self) -> float:
        """The mean entropy of the stored probabilities over all classes: the lowest binary cross-entropy with them."""
        total = 0.0
        for place in self.target_places:
            values = torch.from_numpy(self.targets.read(place)[:, 1].view(np.float16)).double()
            total += float((torch.special.entr(values) + torch.special.entr(1 - values)).sum())
        return total / (len(self) * self.seen.num_epochs * self.seen.num_classes)

    def batch(self, indices: Sequence[int], epoch: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Views `(clips, mels, frames)` of the stored epoch whose turn it is, and their targets `(clips, classes)`."""
        stored = epoch % self.seen.num_epochs
        views = [self._view(index, stored, rng) for index in indices]
        return torch.stack(views), torch.stack([self._target(index, stored) for index in indices])

    def _view(self, index: int, stored: int, rng: Generator) -> Tensor:
        seen, clip = self.seen, self.clips[index]
        spectrum = torch.from_numpy(self.features.read_part(self.feature_places[index], stored)).float()
        drawing = {"num_mels": len(spectrum), "hop_size": seen.hop_size}
        if seen.consistent:
            view = draw_view(seen.seed, clip, stored, **drawing)
        else:
            view = draw_view(int(rng.integers(2**32)), clip, stored, **drawing)
            spectrum = spectrum.roll(round(view.shift / seen.hop_size), dims=1)
        return view.masked(spectrum)[:, : self._patches(self.feature_places[index]) * seen.patch_frames]

    def _target(self, index: int, stored: int) -> Tensor:
        indices, values = self.targets.read_part(self.target_places[index], stored)
        target = torch.zeros(self.seen.num_classes)
        target[torch.from_numpy(indices).long()] = torch.from_numpy(values.view(np.float16)).float()
        if self.seen.labels_weight and self.labels[index]:
            # Binary cross-entropy is linear in its targets: of their mean it is the mean of the losses.
            target *= 1 - self.seen.labels_weight
            target[list(self.labels[index])] += self.seen.labels_weight
        return target

    def _patches(self, spectra: Place) -> int:
        return spectra.shape[-1] // self.seen.patch_frames
