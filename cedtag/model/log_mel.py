"""From waveforms to log-mel spectrograms in torch: the signal processing of CED's front end."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from cedtag.errors import ModelError
from cedtag.model.front_end import MIN_POWER, TOP_DB
from cedtag.system.extras import install_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.model.front_end import FrontEnd

# On a CPU, in all clips of a batch together, so that intermediate values stay in the processor's cache.
_FRAMES_AT_ONCE = 512
_FEWEST_FRAMES = 32


class LogMel:
    """Turns 16 kHz mono clips into log-mel spectrograms, on the device that holds them."""

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end
        self._filters = {torch.device("cpu"): mel_filters(front_end)}

    @torch.no_grad()
    def __call__(self, waveform: Tensor) -> Tensor:
        """The spectrograms in dB, `(batch, n_mels, frames)`, of clips `(batch, n)` float32 in [-1, 1].

        There are `n // hop_size + 1` frames, the outer ones mirrored at the ends of the clip. Clips with too few for
        one patch of the model are zero-padded to it.
        """
        half = self.front_end.n_fft // 2
        waveform = F.pad(waveform, (0, max(0, self.front_end.shortest_samples - waveform.shape[-1])))
        return _floored(self._decibels(F.pad(waveform, (half, half), mode="reflect")))

    @torch.no_grad()
    def windows(self, samples: Tensor, starts: Sequence[int], size: int) -> Tensor:
        """The spectrograms `(windows, n_mels, frames)` of `samples[start : start + size]`, each as if it were alone.

        Frames that overlapping windows share are computed once. Frames that reach over the ends of a window are not
        shared: there a window alone is mirrored, so they come from that window's own first and last samples. The dB
        floor is each window's own too. Windows that share no frames, because they do not overlap or their distance is
        no multiple of `hop_size`, are computed one by one.
        """
        if not self._share_frames(starts, size):
            return self(torch.stack([samples[start : start + size] for start in starts]))
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
        # torchaudio's MelSpectrogram takes a square root and squares it again: the same in four times the time.
        power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
        return filters @ power

    def _filters_on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self._filters:
            filters, window = self._filters[torch.device("cpu")]
            self._filters[device] = (filters.to(device), window.to(device))
        return self._filters[device]


def mel_filters(front_end: FrontEnd) -> tuple[Tensor, Tensor]:
    """The mel filters `(n_mels, n_fft // 2 + 1)` and the Hann window `(win_size,)`."""
    try:
        from torchaudio.functional import melscale_fbanks
    # Beside a torch that it was not built for, torchaudio fails to load its libraries in any of these ways.
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelError(
            f"torchaudio {_installed_version('torchaudio')} does not work with torch {torch.__version__}; install a "
            f"matching pair: {install_command('torch', 'torchaudio')}"
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
