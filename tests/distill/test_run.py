"""Storing views through the library: teachers that are functions, and what one may not do."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from cedtag import DistillStore, DistillStoreSettings, FunctionTeacher, ViewSettings, draw_view, store_views
from cedtag.distill.teachers import common_front_end
from cedtag.errors import InputError, ModelError

CLASSES = ("loud", "long")


def rms_and_length(waveform):
    return [float(np.sqrt(np.mean(waveform**2))), len(waveform) / 16_000]


@pytest.fixture
def clip(tmp_path):
    """The samples of the one recording in `data/`."""
    (tmp_path / "data").mkdir()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 8_000).astype(np.float32)
    soundfile.write(tmp_path / "data/a.wav", samples, 16_000, subtype="FLOAT")
    return samples


def test_a_function_is_a_teacher_of_shifted_clips(clip, tmp_path):
    heard = []

    def listen(waveform):
        heard.append(waveform.copy())
        return rms_and_length(waveform)

    settings = DistillStoreSettings(views=ViewSettings(epochs=3, seed=4))
    result = store_views(tmp_path / "data", [FunctionTeacher(listen, CLASSES)], tmp_path / "store", settings)
    assert (result.clips, result.complete) == (1, True)
    (stored,) = DistillStore(tmp_path / "store").clips()
    for epoch, waveform in enumerate(heard):
        assert np.array_equal(waveform, draw_view(4, stored.clip, epoch).shifted(clip))
    assert stored.values[:, 1].tolist() == [0.5, 0.5, 0.5]
    assert stored.values[0, 0] == pytest.approx(rms_and_length(clip)[0], rel=1e-3)


@pytest.mark.parametrize("answer", [[0.5], [0.5, 1.5], [0.5, -0.1], [0.5, float("nan")], [[0.5, 0.5]]])
def test_a_function_that_gives_no_probabilities_is_an_error(clip, tmp_path, answer):
    with pytest.raises(ModelError, match="mine: gave no probabilities of 2 classes"):
        store_views(tmp_path / "data", [FunctionTeacher(lambda _: answer, CLASSES, "mine")], tmp_path / "store")
    assert list((tmp_path / "store").rglob("*.parquet")) == []


def test_another_version_of_a_function_is_another_teacher(clip, tmp_path):
    for version, is_same in (("1", True), ("1", True), ("2", False)):
        teachers = [FunctionTeacher(rms_and_length, CLASSES, version=version)]
        if is_same:
            store_views(tmp_path / "data", teachers, tmp_path / "store")
        else:
            with pytest.raises(Exception, match="the teachers were others"):
                store_views(tmp_path / "data", teachers, tmp_path / "store")


def test_teachers_of_other_classes_do_not_go_together():
    teachers = [FunctionTeacher(rms_and_length, classes, classes[0]) for classes in (CLASSES, ("long", "loud"))]
    with pytest.raises(InputError, match="loud and long have different classes \\('loud' and 'long' in one place\\)"):
        common_front_end(teachers)


def test_a_recording_that_changes_meanwhile_is_left_out(clip, tmp_path):
    def change(waveform):
        soundfile.write(tmp_path / "data/a.wav", clip[::-1], 16_000, subtype="FLOAT")
        return rms_and_length(waveform)

    result = store_views(tmp_path / "data", [FunctionTeacher(change, CLASSES)], tmp_path / "store")
    assert (result.summary.failed, result.clips, result.complete) == (1, 0, False)
