"""The feature extractor under the Hub's names: it checks and stacks clips, and `LogMel` computes their spectrograms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cedtag.checkpoints.names import PREPROCESSOR_NAME
from cedtag.errors import InputError
from cedtag.model.front_end import FrontEnd
from cedtag.model.json_file import write_json_object
from cedtag.model.log_mel import LogMel
from cedtag.model.preprocessor import check_padding, front_end_of, hub_dict, preprocessor_dict, read_preprocessor
from cedtag.records import LARGEST_SAMPLE, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.checkpoints.locate import Checkpoint

_MAX_CHANNELS = 8

Waveform: TypeAlias = NDArray[np.floating[Any]] | Tensor


class CedFeatureExtractor:
    """Turns 16 kHz mono clips into the log-mel spectrograms that CED takes; the parameters have the Hub's names."""

    def __init__(
        self,
        *,
        sampling_rate: int = SAMPLE_RATE_HZ,
        n_fft: int = 512,
        win_size: int = 512,
        hop_size: int = 160,
        f_min: float = 0,
        f_max: float = 8000,
        feature_size: int = 64,
        center: bool = True,
        padding_value: float = 0.0,
        patch_size: int = 16,
    ) -> None:
        check_padding(padding_value)
        self.front_end = FrontEnd(
            sampling_rate, n_fft, win_size, hop_size, f_min, f_max, feature_size, center, patch_size
        )
        self.log_mel = LogMel(self.front_end)

    def __call__(
        self,
        audio: Waveform | Sequence[Waveform],
        sampling_rate: int = SAMPLE_RATE_HZ,
        return_tensors: str = "pt",
        max_length: int | None = None,
        truncation: bool = False,
    ) -> dict[str, Any]:
        """`{"input_values": (batch, n_mels, frames)}` float32, ready for `model(**inputs)`.

        `audio` is one clip `(n,)` with values in [-1, 1], a batch `(batch, n)` or a list of clips. Clips are padded
        with zeros to the longest one or to `max_length` samples; a longer clip is an error unless `truncation` cuts it.
        Padding counts as silence, so score clips of different lengths one by one. `return_tensors` is "pt" or "np".
        """
        if sampling_rate != SAMPLE_RATE_HZ:
            raise InputError(
                f"the audio is sampled at {sampling_rate} Hz, but CED takes {SAMPLE_RATE_HZ} Hz; "
                f"resample it first: soxr.resample(audio, {sampling_rate}, {SAMPLE_RATE_HZ})"
            )
        if return_tensors not in ("pt", "np"):
            raise InputError(f'return_tensors is {return_tensors!r}, expected "pt" or "np"')
        if truncation and max_length is None:
            raise InputError("truncation=True needs max_length, the number of samples to keep")
        features = self.log_mel(_stacked(_checked_clips(audio), max_length, truncation))
        return {"input_values": features if return_tensors == "pt" else features.numpy(force=True)}

    @classmethod
    def from_front_end(cls, front_end: FrontEnd) -> CedFeatureExtractor:
        """The feature extractor of a front end."""
        return cls(**hub_dict(front_end), patch_size=front_end.patch_frames)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> CedFeatureExtractor:
        """The front end of a checkpoint: its preprocessor file, else its config, else that of every published CED."""
        return cls.from_front_end(front_end_of(checkpoint))

    @classmethod
    def from_pretrained(cls, name: str | Path) -> CedFeatureExtractor:
        """The front end of a checkpoint: a known name, a Hub repository, a folder or a weights file."""
        from cedtag.checkpoints.locate import resolve

        return cls.from_checkpoint(resolve(str(name)))

    @classmethod
    def from_file(cls, path: Path) -> CedFeatureExtractor:
        """The front end that one `preprocessor_config.json` describes."""
        return cls.from_front_end(read_preprocessor(path))

    def to_dict(self) -> dict[str, object]:
        """The content of a `preprocessor_config.json` that the Hub's own code reads."""
        return preprocessor_dict(self.front_end)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `preprocessor_config.json` into `folder`, which is made if need be."""
        write_json_object(Path(folder) / PREPROCESSOR_NAME, self.to_dict())


def _checked_clips(audio: Waveform | Sequence[Waveform]) -> list[Tensor]:
    """The clips `(n,)` in `audio`, float32 and in a range that sound can have."""
    if isinstance(audio, list | tuple):
        clips = [_float_tensor(clip) for clip in audio]
        if any(clip.ndim != 1 for clip in clips):
            raise InputError("a list of audio must hold 1-D clips; average the channels of each first")
    else:
        clips = _rows(_float_tensor(audio))
    if not clips or any(len(clip) == 0 for clip in clips):
        raise InputError("the audio is empty: every clip needs at least one sample")
    if not all(clip.isfinite().all() for clip in clips):
        raise InputError("the audio holds NaN or infinite values; replace them first, e.g. with np.nan_to_num")
    if any(clip.abs().max() > LARGEST_SAMPLE for clip in clips):
        raise InputError(f"the audio holds values beyond {LARGEST_SAMPLE:g}, which is no sound; full scale is 1")
    return clips


def _rows(audio: Tensor) -> list[Tensor]:
    if audio.ndim == 1:
        return [audio]
    if audio.ndim != 2:
        raise InputError(f"the audio has {audio.ndim} dimensions, expected (n,) or (batch, n)")
    if 0 < audio.shape[1] <= _MAX_CHANNELS < audio.shape[0]:
        raise InputError(
            f"the audio has shape {tuple(audio.shape)}, which looks like (samples, channels); "
            "average the channels first: audio.mean(1)"
        )
    return list(audio.unbind())


def _float_tensor(clip: object) -> Tensor:
    if isinstance(clip, Tensor):
        if not clip.is_floating_point():
            raise _not_float(str(clip.dtype))
        return clip.detach().float()
    if not isinstance(clip, np.ndarray):
        raise InputError(f"the audio is a {type(clip).__name__}, expected NumPy arrays or torch tensors")
    if clip.dtype.kind != "f":
        raise _not_float(str(clip.dtype))
    with np.errstate(over="ignore"):
        # A copy: torch warns of arrays that cannot be written to, and refuses reversed and byte-swapped ones.
        return torch.from_numpy(np.array(clip, dtype=np.float32))


def _not_float(dtype: str) -> InputError:
    return InputError(
        f"the audio has type {dtype}, expected floating point in [-1, 1]; "
        "scale integers by their full range: int16_audio.astype('float32') / 32768"
    )


def _stacked(clips: list[Tensor], max_length: int | None, truncation: bool) -> Tensor:
    """One batch `(clips, n)`, zero-padded at the end."""
    longest = max(len(clip) for clip in clips)
    length = longest if max_length is None else max_length
    if length < 1:
        raise InputError(f"max_length is {max_length}, expected a number of samples")
    if longest > length and not truncation:
        raise InputError(
            f"a clip of {longest} samples is longer than max_length {length}; cut it, or pass truncation=True"
        )
    batch = clips[0].new_zeros(len(clips), length)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip[:length]
    return batch
