"""From waveforms to log-mel spectrograms, CED's front end."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cedtag.checkpoints.names import PREPROCESSOR_NAME
from cedtag.errors import InputError, ModelError
from cedtag.model.config import write_json_object
from cedtag.model.front_end import MIN_POWER, TOP_DB, FrontEnd
from cedtag.model.preprocessor import check_padding, front_end_of, hub_dict, preprocessor_dict, read_preprocessor
from cedtag.records import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.model.config import CedConfig

_MAX_CHANNELS = 8
# On a CPU, in all clips of a batch together: what lies between the steps then stays in its cache.
_FRAMES_AT_ONCE = 512
_FEWEST_FRAMES = 32

Clip: TypeAlias = NDArray[np.floating[Any]] | Tensor


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
        self._filters = {torch.device("cpu"): _mel_filters(self.front_end)}

    def __call__(
        self,
        audio: Clip | Sequence[Clip],
        sampling_rate: int = SAMPLE_RATE_HZ,
        return_tensors: str = "pt",
        max_length: int | None = None,
        truncation: bool = False,
    ) -> dict[str, Any]:
        """`{"input_values": (batch, n_mels, frames)}` float32, ready for `model(**inputs)`.

        `audio` is one clip `(n,)` with values in [-1, 1], a batch `(batch, n)` or a list of clips. Clips are padded
        with zeros to the longest one or to `max_length` samples; a longer clip is an error unless `truncation` cuts it.
        The padding is heard as silence: score clips of different lengths one by one. `return_tensors` is "pt" or "np".
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

    @torch.no_grad()
    def log_mel(self, waveform: Tensor) -> Tensor:
        """The spectrograms in dB, `(batch, n_mels, frames)`, of clips `(batch, n)` float32, on their device.

        There are `n // hop_size + 1` frames, the outer ones mirrored at the ends of the clip. Clips with too few for
        one patch of the model are zero-padded to it.
        """
        half = self.front_end.n_fft // 2
        waveform = F.pad(waveform, (0, max(0, self.front_end.shortest_samples - waveform.shape[-1])))
        return _floored(self._decibels(F.pad(waveform, (half, half), mode="reflect")))

    @torch.no_grad()
    def log_mel_windows(self, samples: Tensor, starts: Sequence[int], size: int) -> Tensor:
        """The spectrograms `(windows, n_mels, frames)` of `samples[start : start + size]`, each as if it were alone.

        Frames that overlapping windows share are computed once. Frames that reach over the ends of a window are not
        shared: there a window alone is mirrored, so they come from that window's own first and last samples. The dB
        floor is each window's own too. Windows that share no frames, because they do not overlap or their distance is
        no multiple of `hop_size`, are computed one by one.
        """
        if not self._share_frames(starts, size):
            return self.log_mel(torch.stack([samples[start : start + size] for start in starts]))
        hop, half = self.front_end.hop_size, self.front_end.n_fft // 2
        # Frame t is centred on sample t * hop: the frames [inner, outer) lie wholly inside a window.
        inner, outer = -(-half // hop), (size - half) // hop + 1
        first = min(starts)
        stream = self._decibels(samples[None, first + inner * hop - half : max(starts) + size])[0]
        middles = torch.stack([stream[:, i : i + outer - inner] for i in ((start - first) // hop for start in starts)])
        # One sample more than the frames need, because a mirror has to be shorter than what it mirrors.
        heads = torch.stack([samples[start : start + (inner - 1) * hop + half + 1] for start in starts])
        tails = torch.stack([samples[start + outer * hop - half : start + size] for start in starts])
        left = self._decibels(F.pad(heads, (half, 0), mode="reflect"))[..., :inner]
        right = self._decibels(F.pad(tails, (0, half), mode="reflect"))
        return _floored(torch.cat([left, middles, right], dim=-1))

    def _share_frames(self, starts: Sequence[int], size: int) -> bool:
        hop, n_fft = self.front_end.hop_size, self.front_end.n_fft
        first = min(starts)
        overlap = max(starts) - first + size < len(starts) * size
        aligned = all((start - first) % hop == 0 for start in starts)
        return overlap and aligned and hop < n_fft // 2 and size >= max(2 * n_fft, self.front_end.patch_samples)

    def _decibels(self, padded: Tensor) -> Tensor:
        """Mel power in dB `(batch, n_mels, frames)` of every whole frame in `padded` `(batch, m)`, without a floor."""
        n_fft, hop = self.front_end.n_fft, self.front_end.hop_size
        frames = (padded.shape[-1] - n_fft) // hop + 1
        step = max(_FEWEST_FRAMES, _FRAMES_AT_ONCE // len(padded)) if padded.is_cpu else frames
        pieces = (padded[:, first * hop : (first + step - 1) * hop + n_fft] for first in range(0, frames, step))
        mel = torch.cat([self._mel_power(piece) for piece in pieces], dim=-1)
        return mel.clamp_(min=MIN_POWER).log10_().mul_(10)

    def _mel_power(self, padded: Tensor) -> Tensor:
        """Mel power `(batch, n_mels, frames)` of every whole frame in `padded` `(batch, m)`."""
        filters, window = self._filters_on(padded.device)
        n_fft, hop, win_size = self.front_end.n_fft, self.front_end.hop_size, self.front_end.win_size
        spectrum = torch.stft(padded, n_fft, hop, win_size, window, center=False, return_complex=True)
        # torchaudio's MelSpectrogram takes a square root here and squares it again: four times as slow, same numbers.
        power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
        return filters @ power

    def _filters_on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self._filters:
            filters, window = self._filters[torch.device("cpu")]
            self._filters[device] = (filters.to(device), window.to(device))
        return self._filters[device]

    @classmethod
    def from_front_end(cls, front_end: FrontEnd) -> CedFeatureExtractor:
        """The feature extractor of a front end."""
        return cls(**hub_dict(front_end), patch_size=front_end.patch_frames)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, config: CedConfig | None = None) -> CedFeatureExtractor:
        """The front end of a checkpoint: its preprocessor file, else its config, else that of every published CED.

        `config` is the model's, by default the one in the config file.
        """
        return cls.from_front_end(front_end_of(checkpoint, config))

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


def _mel_filters(front_end: FrontEnd) -> tuple[Tensor, Tensor]:
    """The mel filters `(n_mels, n_fft // 2 + 1)` and the Hann window `(win_size,)`."""
    try:
        from torchaudio.functional import melscale_fbanks
    # Beside a torch that it was not built for, torchaudio fails to load its libraries in any of these ways.
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelError(
            f"torchaudio {_installed_version('torchaudio')} does not work with torch {torch.__version__}; install a "
            'matching pair: pip install "torch>=2.11,<2.15" "torchaudio>=2.11,<2.12"'
        ) from error
    num_bins = front_end.n_fft // 2 + 1
    filters = melscale_fbanks(num_bins, front_end.f_min, front_end.f_max, front_end.n_mels, front_end.sampling_rate)
    return filters.T.contiguous(), torch.hann_window(front_end.win_size)


def _installed_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _floored(decibels: Tensor) -> Tensor:
    # One floor per clip: torchaudio's AmplitudeToDB takes one for the whole batch, so that neighbours would leak in.
    return torch.maximum(decibels, decibels.amax(dim=(-2, -1), keepdim=True) - TOP_DB)


def _checked_clips(audio: Clip | Sequence[Clip]) -> list[Tensor]:
    """The clips `(n,)` in `audio`, float32 and finite."""
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
