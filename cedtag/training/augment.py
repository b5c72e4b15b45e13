"""Variations of log-mel clips `(mels, frames)` in dB. All chance comes from the generators that are passed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from cedtag.model.front_end import MIN_POWER, TOP_DB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor

# Clips fainter than this, silence above all, are not made loud to be mixed.
FAINT_POWER = 1e-3
# What is fainter than a clip's loudest frame by this much is no part of the sound that it is labelled with.
LOUD_DB = 20.0
# How many points a curve of gains over the mel bins is drawn through.
EQ_POINTS = (3, 8)


@dataclass(frozen=True, slots=True)
class Augment:
    """How much the clips are varied. Frames are 10 ms; nothing is varied where a number is 0."""

    min_frames: int = 256
    max_frames: int = 512
    stretch: float = 0.2
    shift_mels: int = 3
    gain_db: float = 10.0
    eq_db: float = 6.0
    mixup: float = 0.8
    mixup_beta: float = 0.5
    mask_mels: int = 12
    mask_share: float = 0.12
    num_masks: int = 2


def draw(clips: Sequence[Tensor], how: Augment, rng: Generator) -> Tensor:
    """One crop `(clips, mels, frames)` in dB of each clip, all of one length, stretched and shifted.

    A clip counts as a ring, so that a crop may begin anywhere and be longer than its clip, but it holds something loud:
    a crop of the pause between two barks would be taught as a bark. Short crops are drawn more often than long ones,
    which cost more: half as long, twice as often.
    """
    frames = int(np.exp(rng.uniform(np.log(how.min_frames), np.log(how.max_frames + 1))))
    return torch.stack([_crop(clip, frames, how, rng) for clip in clips])


def _crop(clip: Tensor, frames: int, how: Augment, rng: Generator) -> Tensor:
    mels, length = clip.shape
    rate = float(np.exp(rng.uniform(-how.stretch, how.stretch))) if how.stretch else 1.0
    start = _loud_frame(clip, rng) - rate * int(rng.integers(frames))
    position = start + rate * np.arange(frames)
    before = np.floor(position).astype(np.int64)
    share = torch.from_numpy((position - before).astype(np.float32))
    rows = np.clip(np.arange(mels) + rng.integers(-how.shift_mels, how.shift_mels + 1), 0, mels - 1)
    ring = clip[torch.from_numpy(rows)].float()
    left, right = (ring[:, torch.from_numpy(at % length)] for at in (before, before + 1))
    return torch.lerp(left, right, share)


def _loud_frame(clip: Tensor, rng: Generator) -> int:
    """A frame of the clip, the more likely the louder it is."""
    loudness = clip.amax(0).double().numpy()
    chances = np.cumsum(np.maximum(loudness - loudness.max() + LOUD_DB, 0))
    return int(np.searchsorted(chances, rng.random() * chances[-1], side="right"))


def mix(db: Tensor, targets: Tensor, how: Augment, rng: Generator) -> tuple[Tensor, Tensor]:
    """Every clip's power mixed with another's, then random gains; the targets are mixed in the same proportion.

    The two are brought to one loudness first, so that the proportion is what is heard.
    """
    gains_db = np.stack([_gains_db(db.shape[1], how, rng) for _ in db])[..., None]
    power = (10 ** (db / 10) - MIN_POWER).clamp(min=0)
    if rng.random() < how.mixup:
        share = rng.beta(how.mixup_beta, how.mixup_beta, len(db)).astype(np.float32)
        share_of_own = torch.from_numpy(np.maximum(share, 1 - share))
        partner = torch.from_numpy(rng.permutation(len(db)))
        loudness = power.mean((-2, -1), keepdim=True) + FAINT_POWER
        level = power / loudness
        own = share_of_own[:, None, None]
        power = (own * level + (1 - own) * level[partner]) * (own * loudness + (1 - own) * loudness[partner])
        own = share_of_own[:, None]
        targets = own * targets + (1 - own) * targets[partner]
    mixed = 10 * torch.log10((power * 10 ** torch.from_numpy(gains_db / 10)).clamp(min=MIN_POWER))
    return torch.maximum(mixed, mixed.amax((-2, -1), keepdim=True) - TOP_DB), targets


def _gains_db(mels: int, how: Augment, rng: Generator) -> NDArray[np.float32]:
    """Gains `(mels,)` in dB: one for all bins, and a curve, as rooms, distances and microphones draw them.

    Without the curve a few hundred recordings are told apart by their colour instead of by what happens in them. It is
    the linear FilterAugment of Nam et al., arXiv 2110.03282.
    """
    gain = rng.uniform(-how.gain_db, how.gain_db)
    num_points = int(rng.integers(*EQ_POINTS))
    places = np.sort(rng.uniform(0, mels - 1, num_points))
    curve = np.interp(np.arange(mels), places, rng.uniform(-how.eq_db, how.eq_db, num_points))
    return np.asarray(gain + curve, np.float32)


def mask(db: Tensor, how: Augment) -> Tensor:
    """SpecAugment: bands of mels and stretches of time are replaced by the clip's mean; chance is torch's own."""
    from torchaudio.functional import mask_along_axis_iid  # here, because loading it takes seconds

    mean = db.mean((-2, -1), keepdim=True)
    centred = (db - mean)[:, None]
    for _ in range(how.num_masks):
        if how.mask_mels:
            centred = mask_along_axis_iid(centred, how.mask_mels, 0.0, axis=2)
        if how.mask_share:
            centred = mask_along_axis_iid(centred, int(db.shape[-1] * how.mask_share), 0.0, axis=3)
    return centred[:, 0] + mean
