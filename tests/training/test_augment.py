"""Variations keep shapes, ranges and labels right, and are random by the given generators alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.strategies import floats, integers

from cedtag.training import augment
from cedtag.training.augment import TOP_DB
from cedtag.training.settings import Augment

if TYPE_CHECKING:
    from numpy.typing import NDArray

STILL = Augment(stretch=0, shift_mels=0, gain_db=0, eq_db=0, mixup=0, mask_mels=0, mask_share=0)


def noise(count: int, frames: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 64, frames, generator=generator) * 60 - 50


@given(lengths=integers(16, 90), least=integers(16, 60), more=integers(0, 60), seed=integers(0, 99))
def test_crops_of_any_clips_have_one_length_within_the_limits(lengths: int, least: int, more: int, seed: int) -> None:
    clips = [noise(1, lengths, seed)[0].half(), noise(1, 16, seed)[0].half()]
    crops = augment.sample_crops(clips, (least, least + more), Augment(), np.random.default_rng(seed))
    assert crops.shape[:2] == (2, 64)
    assert least <= crops.shape[2] <= least + more
    assert crops.min() >= -50
    assert crops.max() <= 10


def test_without_variation_a_crop_is_the_clip_turned() -> None:
    clip = noise(1, 32)[0]
    (crop,) = augment.sample_crops([clip], (32, 32), STILL, np.random.default_rng(1))
    assert any(torch.equal(torch.roll(clip, turn, 1), crop) for turn in range(32))


def test_every_crop_holds_something_loud() -> None:
    clip = torch.full((64, 500), -90.0)
    clip[20:40, 100:110] = -10
    rng = np.random.default_rng(0)
    crops = [augment.sample_crops([clip], (64, 64), Augment(), rng)[0] for _ in range(50)]
    assert min(float(crop.max()) for crop in crops) > -30
    assert len({int(crop.amax(0).argmax()) for crop in crops}) > 10


def test_without_gain_and_mixup_nothing_is_mixed() -> None:
    db, targets = noise(4, 32), torch.eye(4)
    mixed, same = augment.mix(db, targets, STILL, np.random.default_rng(0))
    torch.testing.assert_close(mixed, db, atol=1e-3, rtol=0)
    assert torch.equal(same, targets)


@given(seed=integers(0, 999), beta=floats(0.1, 2))
def test_mixed_targets_keep_their_sum_and_their_own_clip_first(seed: int, beta: float) -> None:
    how = Augment(mixup=1, mixup_beta=beta)
    mixed, targets = augment.mix(noise(6, 32, seed), torch.eye(6), how, np.random.default_rng(seed))
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    assert (targets.diagonal() >= 0.5).all()
    assert mixed.isfinite().all()


def test_a_mixed_clip_has_the_targets_of_both() -> None:
    _, targets = augment.mix(noise(6, 32), torch.eye(6), Augment(mixup=1), np.random.default_rng(0))
    assert ((targets > 0).sum(1) == 2).any()


def test_a_gain_moves_all_of_a_clip_by_the_same_decibels() -> None:
    db = noise(3, 32)
    louder, _ = augment.mix(db, torch.eye(3), Augment(mixup=0, gain_db=10, eq_db=0), np.random.default_rng(0))
    moved = louder - db
    torch.testing.assert_close(moved, moved[:, :1, :1].expand_as(moved), atol=1e-3, rtol=0)
    assert 0 < moved.abs().max() <= 10


def test_an_equaliser_moves_a_mel_bin_by_the_same_decibels_all_the_time() -> None:
    db = noise(3, 32)
    equalised, _ = augment.mix(db, torch.eye(3), Augment(mixup=0, gain_db=0, eq_db=6), np.random.default_rng(0))
    moved = equalised - db
    torch.testing.assert_close(moved, moved[:, :, :1].expand_as(moved), atol=1e-3, rtol=0)
    assert 1 < moved[0].amax() - moved[0].amin() <= 12
    assert moved.abs().max() <= 6 + 1e-3
    assert len({round(float(clip[0, 0]), 3) for clip in moved}) == 3


def test_silence_stays_silent_when_it_is_mixed() -> None:
    db = torch.stack([torch.full((64, 32), -100.0), noise(1, 32)[0]])
    mixed, _ = augment.mix(db, torch.eye(2), Augment(mixup=0, gain_db=10), np.random.default_rng(0))
    assert mixed[0].max() == -100


def test_a_louder_clip_keeps_the_floor_of_the_front_end() -> None:
    db = torch.full((1, 64, 32), -100.0)
    db[0, 3, 7] = 20
    louder, _ = augment.mix(db, torch.eye(1), replace(STILL, gain_db=10), Highest())  # type: ignore[arg-type]
    assert louder.max() == pytest.approx(30, abs=1e-3)
    assert louder.min() == louder.max() - TOP_DB


class Highest:
    """A generator of the highest number of every range."""

    def uniform(self, low: float, high: float, size: int = 1) -> NDArray[np.float64]:
        return np.full(size, high)

    def integers(self, low: int, high: int) -> int:
        return high - 1

    def random(self) -> float:
        return 1.0


def test_masks_cover_bands_of_mels_and_stretches_of_time() -> None:
    db = noise(8, 100)
    masked = augment.mask(db, Augment(mask_mels=20, mask_share=0.3, num_masks=1), np.random.default_rng(0))
    changed = (masked - db).abs() > 1e-3
    assert changed.any()
    assert not changed.all()
    bands, stretches = changed.all(2), changed.all(1)
    assert (changed == (bands[:, :, None] | stretches[:, None, :])).all()
    assert bands.sum(1).max() < 20
    assert stretches.sum(1).max() < 30


def test_equal_generators_give_equal_variations() -> None:
    def once() -> torch.Tensor:
        rng = np.random.default_rng(3)
        crops = augment.sample_crops(list(noise(4, 60)), (32, 64), Augment(), rng)
        return augment.mask(augment.mix(crops, torch.eye(4), Augment(), rng)[0], Augment(), rng)

    assert torch.equal(once(), once())
