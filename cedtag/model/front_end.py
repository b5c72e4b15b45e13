"""The numbers of CED's front end, and the lengths that follow from them; without torch."""

from __future__ import annotations

from dataclasses import dataclass

from cedtag.model.fields import check_integer, check_number, refuse
from cedtag.records import SAMPLE_RATE_HZ

MIN_POWER = 1e-10  # the mel power of digital silence: -100 dB
TOP_DB = 120.0  # the floor of a spectrogram, below its loudest point
PATCH_LIMITS = (1, 512)


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """How a waveform becomes a log-mel spectrogram: sizes in samples, frequencies in Hz.

    `patch_frames` is the number of frames of one patch of the model, the fewest that it takes.
    """

    sampling_rate: int = SAMPLE_RATE_HZ
    n_fft: int = 512
    win_size: int = 512
    hop_size: int = 160
    f_min: float = 0
    f_max: float = 8000
    n_mels: int = 64
    center: bool = True
    patch_frames: int = 16

    def __post_init__(self) -> None:
        if self.sampling_rate != SAMPLE_RATE_HZ or isinstance(self.sampling_rate, bool):
            refuse("sampling_rate", self.sampling_rate, f"{SAMPLE_RATE_HZ}, the rate that every CED is trained at")
        if self.center is not True:
            refuse("center", self.center, "true, as in every CED")
        check_integer("n_fft", self.n_fft, 16, 16_384)
        if self.n_fft % 2:
            refuse("n_fft", self.n_fft, "an even number")
        check_integer("win_size", self.win_size, 16, self.n_fft)
        check_integer("hop_size", self.hop_size, 1, self.win_size)
        check_integer("n_mels", self.n_mels, 8, 512)
        check_number("f_max", self.f_max, 1, self.sampling_rate / 2)
        check_number("f_min", self.f_min, 0, self.f_max - 1)
        check_integer("patch_size", self.patch_frames, *PATCH_LIMITS)

    @property
    def patch_samples(self) -> int:
        """The samples that one patch lasts: the shortest window, and the shortest clip to train on."""
        return self.patch_frames * self.hop_size

    @property
    def shortest_samples(self) -> int:
        """The samples to which shorter clips are zero-padded: one patch of frames, and enough to mirror the ends."""
        return max(self.samples_of(self.patch_frames), self.n_fft // 2 + 1)

    def samples_of(self, num_frames: int) -> int:
        """The fewest samples that give so many frames, which are centred on every `hop_size`-th sample."""
        return (num_frames - 1) * self.hop_size

    def frames_of(self, num_samples: int) -> int:
        """The number of frames of so many samples, if they are not zero-padded."""
        return num_samples // self.hop_size + 1
