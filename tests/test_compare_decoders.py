"""The judgement of two decodings of one file, which the benchmark shows as a verdict."""

import shutil

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from benchmarks.compare_decoders import Comparison, Reading, difference_of, main, shift_of

NOISE = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)


def reading(outcome="ok", num_samples=32_000):
    return Reading(outcome, "", num_samples, NOISE)


def test_sound_that_comes_later_is_a_shift_and_no_difference_of_samples():
    later = np.concatenate([np.zeros(800, np.float32), NOISE])
    shift = shift_of(later, NOISE)
    assert shift == 800
    assert difference_of(later, NOISE, shift) == 0
    assert shift_of(NOISE, later) == -800


@pytest.mark.parametrize(
    ("ours", "theirs", "shift_s", "difference", "verdict"),
    [
        (reading(), reading(), 0.0, 0.001, "same"),
        (reading("failed"), reading("failed"), 0.0, 0.0, "refused by both"),
        (reading("failed"), reading(), 0.0, 0.0, "read by ffmpeg alone"),
        (reading(), reading("partial"), 0.0, 0.0, "partial for ffmpeg alone"),
        (reading(num_samples=16_000), reading(), 0.0, 0.0, "length"),
        (reading(), reading(), 0.5, 0.0, "shift"),
        (reading(), reading(), 0.0, 0.5, "samples"),
    ],
)
def test_the_verdict_is_the_first_thing_that_differs(ours, theirs, shift_s, difference, verdict):
    assert Comparison("a.wav", ours, theirs, shift_s, difference).verdict == verdict


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_a_wav_is_the_same_and_a_cut_one_is_partial_for_cedtag_alone(tmp_path):
    soundfile.write(tmp_path / "whole.wav", np.stack([NOISE, 0.5 * NOISE], axis=1), 44_100)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "whole.wav").read_bytes()[:60_000])
    shown = CliRunner().invoke(main, [str(tmp_path)], catch_exceptions=False).output
    assert "1 same" in shown
    assert "1 partial for cedtag alone" in shown
