"""Clips -> the teachers' probabilities for all stored views of each, in the place of a model in the engine of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cedtag.distill.views import NUM_SUMS, Clip, draw_view, signed_sums
from cedtag.model.log_mel import LogMel
from cedtag.scoring.torch_threads import compute_alone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from cedtag.distill.store import StoreFacts
    from cedtag.distill.teachers import Teacher
    from cedtag.distill.views import View
    from cedtag.records import ScoredWindow, Window

_GPU_VIEWS = 256  # in one call


class ViewScorer:
    """A `Scorer` of clips: the row of each is all of its views' probabilities, and the sums of its first view.

    On a CPU a call holds the views of one clip, so what else is stored changes no bit of them.
    """

    def __init__(self, teachers: Sequence[Teacher], facts: StoreFacts, device: torch.device) -> None:
        self.name = ", ".join(teacher.name for teacher in teachers)
        self.labels = facts.labels
        self.shortest_window, self.longest_window = facts.front_end.patch_samples, facts.chunk
        self.device, self.precision = device.type, facts.precision
        self.across_recordings = device.type != "cpu"
        self.batch_size = 1 if device.type == "cpu" else max(1, _GPU_VIEWS // facts.epochs)
        self._teachers, self._facts, self._device = list(teachers), facts, device
        self._log_mel = LogMel(facts.front_end)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"device": self.device, "precision": self.precision}

    def prepare_thread(self) -> None:
        if self._device.type == "cpu":
            compute_alone()

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """The rows `(clips, epochs * classes + 4)`; clips of equal length are scored together."""
        places: dict[int, list[int]] = {}
        for place, window in enumerate(windows):
            places.setdefault(len(window.samples), []).append(place)
        rows = np.empty((len(windows), self._facts.epochs * len(self.labels) + NUM_SUMS), np.float32)
        for same_length in places.values():
            rows[same_length] = self._score([windows[place] for place in same_length])
        return rows

    @torch.inference_mode()
    def _score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        clips = [clip_of(window) for window in windows]
        views = [[draw(self._facts, clip, epoch) for epoch in range(self._facts.epochs)] for clip in clips]
        waveforms = np.stack(
            [view.shifted(window.samples) for window, own in zip(windows, views, strict=True) for view in own]
        )
        firsts = waveforms[:: self._facts.epochs]
        sums = [signed_sums(self._facts.seed, clip, first) for clip, first in zip(clips, firsts, strict=True)]
        scores = self._mean(waveforms, [view for own in views for view in own])
        return np.hstack([scores.reshape(len(windows), -1), np.stack(sums)])

    def _mean(self, waveforms: NDArray[np.float32], views: Sequence[View]) -> NDArray[np.float32]:
        """The mean of the teachers' probabilities `(views, classes)`."""
        spectra = self._log_mel(torch.from_numpy(waveforms).to(self._device))
        features = torch.stack([view.masked(spectrum) for view, spectrum in zip(views, spectra, strict=True)])
        total: Tensor = sum(  # type: ignore[assignment]  # there is one teacher at least
            teacher.probabilities(waveforms, features) for teacher in self._teachers
        )
        return (total / len(self._teachers)).numpy(force=True)


def draw(facts: StoreFacts, clip: Clip, epoch: int) -> View:
    """The view of a clip in a stored epoch of a store."""
    front_end = facts.front_end
    return draw_view(facts.seed, clip, epoch, num_mels=front_end.n_mels, hop_size=front_end.hop_size)


def clip_of(window: Window | ScoredWindow) -> Clip:
    """The clip that a window of a recording is."""
    return Clip(window.source.name, window.start, window.stop)
