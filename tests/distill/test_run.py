"""Storing views through the library: teachers that are functions, and what one may not do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from cedtag import (
    DistillStore,
    DistillStoreCompute,
    DistillStoreSettings,
    FunctionTeacher,
    PartChoice,
    ViewSettings,
    draw_view,
    store_views,
)
from cedtag.distill import run
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


def parts_of(store):
    return {path.name: path.read_bytes() for path in (store / "views").iterdir()}


def counting(answers, limit=10**9):
    """A teacher that notes its answers, and fails after so many."""

    def function(waveform):
        if len(answers) == limit:
            raise KeyboardInterrupt
        answers.append(rms_and_length(waveform))
        return answers[-1]

    return FunctionTeacher(function, CLASSES)


@pytest.fixture
def long_recordings(tmp_path, monkeypatch):
    """A folder with recordings of ten clips of half a second, three and two, of which three clips are a piece."""
    monkeypatch.setattr(run, "PIECE_CLIPS", 3)
    (tmp_path / "data").mkdir()
    for name, clips in (("a", 10), ("b", 3), ("c", 2)):
        noise = np.random.default_rng(clips).uniform(-0.5, 0.5, clips * 8_000)
        soundfile.write(tmp_path / f"data/{name}.wav", noise, 16_000)
    return tmp_path / "data"


SHORT_CLIPS = DistillStoreSettings(
    views=ViewSettings(epochs=1, chunk_s=0.5), compute=DistillStoreCompute(jobs=1, threads=1)
)


@pytest.mark.parametrize("stopped_after", [2, 3, 8, 11, 14])
def test_a_stop_costs_at_most_a_piece_of_a_long_recording(long_recordings, tmp_path, stopped_after):
    store_views(long_recordings, [counting([])], tmp_path / "whole", SHORT_CLIPS)
    assert sorted(parts_of(tmp_path / "whole")) == [
        *(f"00000000-{piece:06}.parquet" for piece in range(5)),
        "00000000.parquet",
    ]
    first, second = [], []
    with pytest.raises(KeyboardInterrupt):
        store_views(long_recordings, [counting(first, stopped_after)], tmp_path / "stopped", SHORT_CLIPS)
    assert DistillStore(tmp_path / "stopped").missing_blocks == 1
    result = store_views(long_recordings, [counting(second)], tmp_path / "stopped", SHORT_CLIPS)
    assert result.complete
    assert len(second) <= 15 - stopped_after + 6  # what was on its way, and a piece that was not full
    assert parts_of(tmp_path / "stopped") == parts_of(tmp_path / "whole")
    clips = [(one.clip.name, one.clip.start) for one in DistillStore(tmp_path / "stopped").clips()]
    assert clips == [
        (f"{name}.wav", 8_000 * clip) for name, clips in (("a", 10), ("b", 3), ("c", 2)) for clip in range(clips)
    ]


def test_pieces_are_made_again_with_what_failed(long_recordings, tmp_path):
    good = (long_recordings / "b.wav").read_bytes()
    (long_recordings / "b.wav").write_bytes(b"x" * len(good))
    assert not store_views(long_recordings, [counting([])], tmp_path / "store", SHORT_CLIPS).complete
    (long_recordings / "b.wav").write_bytes(good)
    retry = replace(SHORT_CLIPS, parts=PartChoice(retry_failed=True))
    assert store_views(long_recordings, [counting([])], tmp_path / "store", retry).complete
    store_views(long_recordings, [counting([])], tmp_path / "whole", SHORT_CLIPS)
    assert parts_of(tmp_path / "store") == parts_of(tmp_path / "whole")
