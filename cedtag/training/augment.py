"""Random variations of log-mel clips `(mels, frames)` in dB, drawn from generators that are passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cedtag.model.front_end import MIN_POWER, TOP_DB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor

    from cedtag.training.settings import Augment

# Clips fainter than this, silence above all, are not made loud to be mixed.
FAINT_POWER = 1e-3
# Frames that are fainter than a clip's loudest one by this much are no part of the sound that it is labelled with.
LOUD_DB = 20.0
# The number of points of a curve of gains over the mel bins: from 3, below 8.
EQ_POINTS = (3, 8)


def sample_crops(clips: Sequence[Tensor], frames: tuple[int, int], how: Augment, rng: Generator) -> Tensor:
    """One crop `(clips, mels, n)` in dB of each clip, `n` between the two numbers of `frames`, stretched and shifted.

    A clip is indexed circularly, so that a crop can begin anywhere and be longer than its clip, but each crop holds a
    loud frame: the pause between two barks must not be learned as a bark. Short crops, which cost less, are sampled
    more often than long ones: half as long, twice as often.
    """
    least, most = frames
    length = int(np.exp(rng.uniform(np.log(least), np.log(most + 1))))
    return torch.stack([_crop(clip, length, how, rng) for clip in clips])


def _crop(clip: Tensor, frames: int, how: Augment, rng: Generator) -> Tensor:
    mels, length = clip.shape
    rate = float(np.exp(rng.uniform(-how.stretch, how.stretch))) if how.stretch else 1.0
    start = _loud_frame(clip, rng) - rate * int(rng.integers(frames))
    position = start + rate * np.arange(frames)
    before = np.floor(position).astype(np.int64)
    fraction = torch.from_numpy((position - before).astype(np.float32))
    rows = np.clip(np.arange(mels) + rng.integers(-how.shift_mels, how.shift_mels + 1), 0, mels - 1)
    shifted = clip[torch.from_numpy(rows)].float()
    left, right = (shifted[:, torch.from_numpy(at % length)] for at in (before, before + 1))
    return torch.lerp(left, right, fraction)


def _loud_frame(clip: Tensor, rng: Generator) -> int:
    """A random frame of the clip, the more likely the louder it is."""
    loudness = clip.amax(0).double().numpy()
    weights = np.cumsum(np.maximum(loudness - loudness.max() + LOUD_DB, 0))
    return int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))


def mix(db: Tensor, targets: Tensor, how: Augment, rng: Generator) -> tuple[Tensor, Tensor]:
    """Mixup: the power of each clip mixed with that of another, then random gains; the targets are mixed alike.

    Both clips are brought to one loudness first, so that the sounds have the proportion of the targets.
    """
    gains_db = np.stack([_gains_db(db.shape[1], how, rng) for _ in db])[..., None]
    power = (10 ** (db / 10) - MIN_POWER).clamp(min=0)
    if rng.random() < how.mixup:
        beta = rng.beta(how.mixup_beta, how.mixup_beta, len(db)).astype(np.float32)
        partner = torch.from_numpy(rng.permutation(len(db)))
        lam = torch.from_numpy(np.maximum(beta, 1 - beta))[:, None]
        targets = lam * targets + (1 - lam) * targets[partner]
        lam = lam[..., None]
        loudness = power.mean((-2, -1), keepdim=True) + FAINT_POWER
        level = power / loudness
        power = (lam * level + (1 - lam) * level[partner]) * (lam * loudness + (1 - lam) * loudness[partner])
    mixed = 10 * torch.log10((power * 10 ** torch.from_numpy(gains_db / 10)).clamp(min=MIN_POWER))
    return torch.maximum(mixed, mixed.amax((-2, -1), keepdim=True) - TOP_DB), targets


def _gains_db(mels: int, how: Augment, rng: Generator) -> NDArray[np.float32]:
    """Gains `(mels,)` in dB: one for all bins, and a curve over them, like those of rooms, distances and microphones.

    Without the curve a model learns a few hundred recordings by their spectral shape (EQ), not by the sounds in them.
    This is the linear FilterAugment of Nam et al., arXiv 2110.03282.
    """
    gain = rng.uniform(-how.gain_db, how.gain_db)
    num_points = int(rng.integers(*EQ_POINTS))
    places = np.sort(rng.uniform(0, mels - 1, num_points))
    curve = np.interp(np.arange(mels), places, rng.uniform(-how.eq_db, how.eq_db, num_points))
    return np.asarray(gain + curve, np.float32)


def mask(db: Tensor, how: Augment, rng: Generator) -> Tensor:
    """SpecAugment: bands of mels and stretches of time become the clip's mean."""
    mels, frames = db.shape[1:]
    masked = np.zeros(db.shape, bool)
    for _ in range(how.num_masks):
        masked |= _bands(len(db), mels, how.mask_mels, rng)[:, :, None]
        masked |= _bands(len(db), frames, int(frames * how.mask_share), rng)[:, None, :]
    return torch.where(torch.from_numpy(masked), db.mean((-2, -1), keepdim=True), db)


def _bands(count: int, size: int, longest: int, rng: Generator) -> NDArray[np.bool_]:
    """A random band `(count, size)` of each clip, shorter than `longest` and anywhere."""
    length = rng.uniform(0, min(longest, size), (count, 1))
    start = rng.uniform(0, size - length)
    places = np.arange(size)
    return np.asarray((places >= np.floor(start)) & (places < np.floor(start) + np.floor(length)))
