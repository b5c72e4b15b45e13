"""Windows -> class probabilities with a CED in torch, on a CPU or a GPU."""

from __future__ import annotations

import logging
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cedtag.labels.table import labels_of
from cedtag.model.log_mel import LogMel
from cedtag.model.network import CedForAudioClassification
from cedtag.model.packed_block import pack_blocks
from cedtag.model.preprocessor import front_end_of
from cedtag.scoring.batching import cpu_batch_size
from cedtag.scoring.torch_device import find_device, find_precision, packs_weights
from cedtag.scoring.torch_threads import compute_alone
from cedtag.system.machine import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray
    from torch import Tensor

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.model.config import CedConfig
    from cedtag.model.output import CedOutput
    from cedtag.records import Window

logger = logging.getLogger(__name__)

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
_GPU_BATCH = 256


class TorchScorer:
    """Scores windows with one copy of the weights; safe to call from several threads.

    On a CPU each call computes in its caller's thread alone, if that was prepared: so callers scale, and a busy
    neighbour slows one of them, not a team that waits for its slowest member.
    """

    def __init__(
        self,
        model: CedForAudioClassification,
        log_mel: LogMel,
        device: torch.device,
        precision: str = "fp32",
        batch_size: int | None = None,
        name: str = "the model",
    ) -> None:
        self.name = name
        self._model = model.eval().to(device)
        self._log_mel = log_mel
        self._device = device
        self.device, self.precision = device.type, precision
        packs = device.type == "cpu" and packs_weights(precision)
        self._dtype = None if packs else _AUTOCAST.get(precision)
        self.labels = labels_of(model.config.id2label)
        self.shortest_window = log_mel.front_end.patch_samples
        self.longest_window = log_mel.front_end.samples_of(model.config.target_length)
        self.across_recordings = device.type != "cpu"
        self.batch_size = batch_size or default_batch_size(model.config, device)
        self.embedding_size = model.config.embed_dim
        self._model.encoder.in_place = device.type == "cpu" and self._dtype is None
        if packs:
            dtype = _AUTOCAST.get(precision, torch.float32)
            pack_blocks(self._model.encoder, self.batch_size, dtype)
        if device.type == "cpu":
            keep_freed_memory()

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "backend": "torch",
            "device": self.device,
            "precision": self.precision,
            "batch-size": self.batch_size,
        }

    def prepare_thread(self) -> None:
        if self._device.type == "cpu":
            compute_alone()

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """Probabilities `(windows, classes)`; windows of equal length are scored together."""
        return self._of_all(windows, self._probabilities, len(self.labels))

    def score_embedded(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The same, and the embeddings `(windows, embedding_size)`."""
        both = self._of_all(windows, self._with_embeddings, len(self.labels) + self.embedding_size)
        return both[:, : len(self.labels)], both[:, len(self.labels) :]

    def score_columns(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """The same, and the probabilities `(columns, classes)` of each window."""
        scores, _, columns = self.score_whole(windows)
        return scores, columns

    def score_whole(
        self, windows: Sequence[Window]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], list[NDArray[np.float32]]]:
        """Probabilities, embeddings, and those of columns."""
        taken: dict[int, NDArray[np.float32]] = {}
        for places in _by_length(windows):
            taken.update(zip(places, self._score([windows[place] for place in places], self._whole), strict=True))
        classes, start = len(self.labels), len(self.labels) + self.embedding_size
        in_order = [taken[place] for place in range(len(windows))]
        both = np.stack([one[:start] for one in in_order])
        return both[:, :classes], both[:, classes:], [one[start:].reshape(-1, classes) for one in in_order]

    def _of_all(self, windows: Sequence[Window], take: Callable[[CedOutput], Tensor], size: int) -> NDArray[np.float32]:
        """What `take` makes of the model's outputs, `(windows, size)`."""
        taken = np.empty((len(windows), size), np.float32)
        for places in _by_length(windows):
            taken[places] = self._score([windows[place] for place in places], take)
        return taken

    @staticmethod
    def _probabilities(output: CedOutput) -> Tensor:
        return output.probabilities

    @staticmethod
    def _with_embeddings(output: CedOutput) -> Tensor:
        return torch.cat([output.probabilities, output.last_hidden_state.mean(1).float()], 1)

    def _whole(self, output: CedOutput) -> Tensor:
        columns = self._model.of_columns(output).probabilities.flatten(1)
        return torch.cat([self._with_embeddings(output), columns], 1)

    def _score(self, windows: Sequence[Window], take: Callable[[CedOutput], Tensor]) -> NDArray[np.float32]:
        size = self.batch_size
        batches = [windows[start : start + size] for start in range(0, len(windows), size)]
        try:
            return np.concatenate([self._forward(batch, take) for batch in batches])
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            if self.batch_size == size:  # another thread may have halved it already
                self.batch_size = size // 2
                logger.warning("the device is out of memory: the batch size is now %d", self.batch_size)
        torch.cuda.empty_cache()
        return self._score(windows, take)

    @torch.inference_mode()
    def _forward(self, windows: Sequence[Window], take: Callable[[CedOutput], Tensor]) -> NDArray[np.float32]:
        features = self._features(windows)
        with self._autocast():
            taken = take(self._model(features))
        return taken.float().numpy(force=True)

    def _features(self, windows: Sequence[Window]) -> Tensor:
        first, last = windows[0], windows[-1]
        overlap = len(windows) > 1 and first.source is last.source and windows[1].start < first.stop
        if overlap and not self.across_recordings:
            samples = torch.from_numpy(stream_of(windows)).to(self._device)
            starts = [window.start - first.start for window in windows]
            return self._log_mel.windows(samples, starts, len(first.samples))
        samples = torch.from_numpy(np.stack([window.samples for window in windows]))
        if self._device.type == "cuda":
            samples = samples.pin_memory()
        return self._log_mel(samples.to(self._device, non_blocking=True))

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self._device.type, self._dtype) if self._dtype else nullcontext()


def load_torch_scorer(
    checkpoint: Checkpoint, device: str = "auto", precision: str = "auto", batch_size: int | None = None
) -> TorchScorer:
    """Load a checkpoint onto a device ("auto", "cpu", "cuda", "cuda:1", "mps") in a precision that it has."""
    place = find_device(device)
    found = find_precision(precision, place)

    def load() -> TorchScorer:
        model = CedForAudioClassification.from_checkpoint(checkpoint)
        log_mel = LogMel(front_end_of(checkpoint, model.config))
        return TorchScorer(model, log_mel, place, found, batch_size, checkpoint.name)

    # Beside a busy neighbour a team of threads waits longer for its members than one thread works.
    with ThreadPoolExecutor(1, initializer=compute_alone) as thread:
        return thread.submit(load).result()


def _by_length(windows: Sequence[Window]) -> Iterable[list[int]]:
    """The places of windows of one length, together."""
    places = defaultdict(list)
    for place, window in enumerate(windows):
        places[len(window.samples)].append(place)
    return places.values()


def default_batch_size(config: CedConfig, device: torch.device) -> int:
    """The default number of windows in a call: many on a GPU, few on a CPU."""
    return _GPU_BATCH if device.type != "cpu" else cpu_batch_size(config)


def stream_of(windows: Sequence[Window]) -> NDArray[np.float32]:
    """The samples from the first window's start to the last one's stop, of overlapping windows in order."""
    pieces = [windows[0].samples]
    for before, window in pairwise(windows):
        pieces.append(window.samples[before.stop - window.start :])
    return np.concatenate(pieces)
