"""Views of clips, which are the same wherever and whenever they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cedtag.distill.views import (
    MASKED_FRAMES,
    Checksum,
    Clip,
    View,
    checksum_of,
    draw_view,
)

CLIP = Clip("birds/a.wav", 32_000, 192_000)
SAMPLES = np.random.default_rng(0).uniform(-0.5, 0.5, 160_000).astype(np.float32)


def test_views_stay_as_they_were_first_drawn():
    """Numbers of a store that exists: another machine, torch or NumPy must draw them again."""
    assert draw_view(7, CLIP, 0) == View(shift=46_215, frames=(590, 625), mels=(4, 20))
    assert draw_view(7, CLIP, 9) == View(shift=29_768, frames=(886, 940), mels=(42, 46))


def test_a_view_depends_on_seed_clip_and_epoch_and_on_no_state():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 -- the state that must not matter
    before = torch.get_rng_state()
    view = draw_view(1, CLIP, 3)
    others = [
        draw_view(2, CLIP, 3),
        draw_view(1, CLIP, 4),
        draw_view(1, Clip("birds/b.wav", 32_000, 192_000), 3),
        draw_view(1, Clip("birds/a.wav", 16_000, 176_000), 3),
    ]
    assert view not in others
    assert len(set(others)) == 4
    assert draw_view(1, CLIP, 3) == view
    assert torch.equal(torch.get_rng_state(), before)


def test_shifts_and_masks_use_all_of_their_ranges_and_no_more():
    views = [draw_view(0, Clip(f"{number}.wav", 0, 160_000), 0) for number in range(4000)]
    shifts = np.array([view.shift for view in views])
    assert -80_000 <= shifts.min() < -79_000
    assert 79_000 < shifts.max() <= 80_000
    assert abs(shifts.mean()) < 3_000
    for spans, widest, length in (([v.frames for v in views], MASKED_FRAMES, 1001), ([v.mels for v in views], 24, 64)):
        widths = np.array([stop - start for start, stop in spans])
        assert set(widths) == set(range(widest + 1))
        assert min(start for start, _ in spans) == 0
        assert max(stop for _, stop in spans) == length


@pytest.mark.parametrize("num_samples", [1, 2, 160, 2_560, 16_000])
def test_at_most_half_of_a_short_clip_is_masked(num_samples):
    for number in range(200):
        view = draw_view(0, Clip(f"{number}.wav", 0, num_samples), 0)
        num_frames = num_samples // 160 + 1
        assert view.frames[1] - view.frames[0] <= num_frames // 2
        assert 0 <= view.frames[0] <= view.frames[1] <= num_frames
        assert abs(view.shift) <= num_samples // 2


def test_the_shift_is_circular_and_masks_have_the_mean():
    view = View(2, frames=(1, 3), mels=(0, 1))
    assert view.shifted(np.arange(5, dtype=np.float32)).tolist() == [3, 4, 0, 1, 2]
    features = torch.arange(8.0).reshape(2, 4)
    assert view.masked(features).tolist() == [[3.5, 3.5, 3.5, 3.5], [4, 3.5, 3.5, 7]]
    assert features.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_checksum_survives_its_bytes_and_the_rounding_of_other_processors():
    view = draw_view(5, CLIP, 0)
    stored = checksum_of(view, 5, CLIP, view.shifted(SAMPLES)).to_bytes()
    assert len(stored) == 20
    rounded = SAMPLES * np.float32(1 + 3e-6) + np.random.default_rng(1).normal(0, 3e-7, 160_000).astype(np.float32)
    assert Checksum.from_bytes(stored).is_of(view, 5, CLIP, view.shifted(rounded))


def test_a_checksum_notices_other_seeds_clips_shifts_masks_and_samples():
    view = draw_view(5, CLIP, 0)
    stored = checksum_of(view, 5, CLIP, view.shifted(SAMPLES))
    moved, masked = View(view.shift + 1, view.frames, view.mels), View(view.shift, view.frames, (0, 1))
    assert not stored.is_of(draw_view(6, CLIP, 0), 6, CLIP, draw_view(6, CLIP, 0).shifted(SAMPLES))
    assert not stored.is_of(moved, 5, CLIP, moved.shifted(SAMPLES))
    assert not stored.is_of(masked, 5, CLIP, masked.shifted(SAMPLES))
    smoothed = np.convolve(SAMPLES, [0.02, 0.96, 0.02], "same").astype(np.float32)  # another resampler
    for other in (SAMPLES * np.float32(0.99), smoothed, np.roll(SAMPLES, 1), np.zeros_like(SAMPLES)):
        assert not stored.is_of(view, 5, CLIP, view.shifted(other))


def test_a_checksum_of_faint_sound_notices_another_one():
    view = draw_view(5, CLIP, 0)
    faint, other = SAMPLES * np.float32(1e-3), SAMPLES[::-1] * np.float32(1e-3)
    stored = checksum_of(view, 5, CLIP, view.shifted(faint))
    assert stored.is_of(view, 5, CLIP, view.shifted(faint))
    assert not stored.is_of(view, 5, CLIP, view.shifted(other))
