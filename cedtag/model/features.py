"""The feature extractor under the Hub's names: it checks and stacks clips, and `LogMel` computes their spectrograms."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cedtag.checkpoints.names import PREPROCESSOR_NAME
from cedtag.errors import InputError
from cedtag.model.front_end import MIN_POWER, FrontEnd
from cedtag.model.json_file import write_json_object
from cedtag.model.log_mel import LogMel
from cedtag.model.preprocessor import check_padding, front_end_of, hub_dict, preprocessor_dict, read_preprocessor
from cedtag.records import LARGEST_SAMPLE, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from cedtag.checkpoints.locate import Checkpoint

_MAX_CHANNELS = 8
_SILENCE_DB = 10 * math.log10(MIN_POWER)

logger = logging.getLogger(__name__)

Waveform: TypeAlias = NDArray[np.floating[Any]] | Tensor | Sequence[float]


class CedFeatures(dict[str, Any]):
    """What the extractor gives, by name; names are attributes too."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(f"the features hold {', '.join(self)}, and no {name}")
        return self[name]

    def to(self, *args: str | torch.device | torch.dtype) -> CedFeatures:
        """The tensors on another device, and floating-point ones in another type."""
        where = [arg for arg in args if not isinstance(arg, torch.dtype)]
        return CedFeatures(
            (name, tensor.to(*(args if tensor.is_floating_point() else where))) for name, tensor in self.items()
        )


class CedFeatureExtractor:
    """Turns 16 kHz mono clips into the log-mel spectrograms that CED takes; the parameters have the Hub's names."""

    FIELDS = ("n_fft", "win_size", "hop_size", "f_min", "f_max", "center", "patch_size")

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
        sampling_rate: int | None = SAMPLE_RATE_HZ,
        return_tensors: str | None = "pt",
        max_length: int | None = None,
        truncation: bool = False,
        padding: bool | str = True,
    ) -> CedFeatures:
        """`input_values` `(batch, n_mels, frames)` float32, ready for `model(**inputs)`.

        `audio` is one clip `(n,)` with values in [-1, 1], a batch `(batch, n)` or a list of clips. A clip of more than
        `max_length` samples is an error unless `truncation` cuts it. Clips of different lengths are padded to the
        longest, or with `padding="max_length"` to `max_length`, and `attention_mask` `(batch, frames)` is 1 where a
        clip is: every clip has the result that it has alone. With `padding=False` they have to be equally long.
        `return_tensors` is "pt", "np", or None for a list of one array per clip.
        """
        self._check_rate(sampling_rate)
        if return_tensors not in ("pt", "np", None):
            raise InputError(f'return_tensors is {return_tensors!r}, expected "pt", "np" or None')
        if max_length is None and (truncation or padding == "max_length"):
            raise InputError('truncation=True and padding="max_length" need max_length, a number of samples')
        if padding not in (True, False, "longest", "max_length", "do_not_pad"):
            raise InputError(f'padding is {padding!r}, expected True, False, "longest" or "max_length"')
        spectra = self._spectra(_cut(_checked_clips(audio), max_length, truncation))
        if return_tensors is None:
            return CedFeatures(input_values=[spectrum.numpy(force=True) for spectrum in spectra])
        longest = max(spectrum.shape[1] for spectrum in spectra)
        if padding == "max_length" and max_length is not None:
            longest = max(longest, self.front_end.frames_of(max_length))
        features = _padded(spectra, longest)
        if padding in (False, "do_not_pad") and "attention_mask" in features:
            raise InputError("the clips have different lengths; pass padding=True, or one clip at a time")
        if return_tensors == "pt":
            return features
        return CedFeatures((name, tensor.numpy(force=True)) for name, tensor in features.items())

    def _spectra(self, clips: Sequence[Tensor]) -> Sequence[Tensor]:
        """The spectrogram `(n_mels, frames)` of each clip."""
        if len({len(clip) for clip in clips}) == 1:
            return list(self.log_mel(torch.stack(list(clips))))
        return [self.log_mel(clip[None])[0] for clip in clips]

    @property
    def sampling_rate(self) -> int:
        """The samples per second of the clips that it takes."""
        return self.front_end.sampling_rate

    def _check_rate(self, sampling_rate: int | None) -> None:
        if sampling_rate is None:
            logger.warning("no sampling_rate was given: the audio is taken to have %d Hz", SAMPLE_RATE_HZ)
        elif sampling_rate != SAMPLE_RATE_HZ:
            raise InputError(
                f"the audio is sampled at {sampling_rate} Hz, but CED takes {SAMPLE_RATE_HZ} Hz; "
                f"resample it first: soxr.resample(audio, {sampling_rate}, {SAMPLE_RATE_HZ})"
            )

    @classmethod
    def from_front_end(cls, front_end: FrontEnd) -> CedFeatureExtractor:
        """The feature extractor of a front end."""
        return cls(**hub_dict(front_end), patch_size=front_end.patch_frames)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> CedFeatureExtractor:
        """The front end of a checkpoint: its preprocessor file, else its config, else that of every published CED."""
        return cls.from_front_end(front_end_of(checkpoint))

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> CedFeatureExtractor:
        """The front end of a checkpoint: a known name, a Hub repository, a folder or a weights file."""
        from cedtag.checkpoints.locate import resolve_pretrained

        return cls.from_checkpoint(resolve_pretrained(name, revision, cache_dir, local_files_only=local_files_only))

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
    if isinstance(audio, list | tuple) and not _is_clip(audio):
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


def _is_clip(samples: Sequence[object]) -> bool:
    """Whether a list is one clip: the samples themselves."""
    return len(samples) > 0 and all(isinstance(sample, float) for sample in samples)


def _float_tensor(clip: object) -> Tensor:
    if isinstance(clip, list | tuple) and _is_clip(clip):
        clip = np.array(clip)
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


def _cut(clips: list[Tensor], max_length: int | None, truncation: bool) -> list[Tensor]:
    """The first `max_length` samples of each clip."""
    if max_length is None:
        return clips
    longest = max(len(clip) for clip in clips)
    if max_length < 1:
        raise InputError(f"max_length is {max_length}, expected a number of samples")
    if longest > max_length and not truncation:
        raise InputError(
            f"a clip of {longest} samples is longer than max_length {max_length}; cut it, or pass truncation=True"
        )
    return [clip[:max_length] for clip in clips]


def _padded(spectra: Sequence[Tensor], length: int) -> CedFeatures:
    """One batch of spectra `(n_mels, frames)`, with a mask where it has more frames than they; padding is silence."""
    batch = spectra[0].new_full((len(spectra), len(spectra[0]), length), _SILENCE_DB)
    mask = torch.zeros(len(spectra), length, dtype=torch.int64)
    for row, ones, spectrum in zip(batch, mask, spectra, strict=True):
        row[:, : spectrum.shape[1]] = spectrum
        ones[: spectrum.shape[1]] = 1
    return CedFeatures(input_values=batch, **({} if mask.all() else {"attention_mask": mask.to(batch.device)}))
