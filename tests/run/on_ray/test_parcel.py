"""What is sent to actors: enough to do the same work where no file of a model is."""

from __future__ import annotations

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cedtag.checkpoints.locate import resolve
from cedtag.distill import run as distill_run
from cedtag.distill.data import read_clip_data
from cedtag.distill.recipe import view_recipe, view_work
from cedtag.distill.settings import DistillStoreCompute, DistillStoreSettings, TeacherChoice, ViewSettings
from cedtag.distill.teachers import FunctionTeacher, load_teachers
from cedtag.errors import CedtagError
from cedtag.evaluation.recipe import clip_recipe, clip_work
from cedtag.inputs.data_settings import DataSettings
from cedtag.inputs.manifest import Example
from cedtag.inputs.segments import SegmentsEnd, segmented
from cedtag.model.features import CedFeatureExtractor
from cedtag.records import FileFailed, ScoredWindow
from cedtag.run.on_ray.parcel import Parcel, files_of, work_of
from cedtag.scoring import Compute, load_model
from cedtag.training.teacher import ConvTeacher
from cedtag.training.teacher_checkpoint import save_teacher
from tests.micro import micro_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.run.engines import Recipe


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for name, samples in (("a.wav", 40_000), ("b.wav", 16_000)):
        soundfile.write(folder / name, 0.1 * rng.standard_normal(samples), 16_000)
    (folder / "c.wav").write_text("no audio")
    return folder


def arrived(recipe: Recipe) -> Parcel:
    """The recipe as it leaves this process, after which the files of its checkpoints are gone."""
    parcel = Parcel(pickle.dumps(recipe), tuple(map(files_of, recipe.checkpoints)))
    for checkpoint in recipe.checkpoints:
        shutil.rmtree(checkpoint.weights.parent)
    return parcel


def test_a_view_is_scored_alike_by_teachers_of_every_kind(data, tmp_path):
    ced = micro_checkpoint(tmp_path / "ced")
    network = ConvTeacher(64, 527)
    convolutional = tmp_path / "convolutional"
    convolutional.mkdir()
    compute = DistillStoreCompute(device="cpu")
    labels = load_teachers(TeacherChoice((str(ced),)), compute)[0].classes
    save_teacher(convolutional, network, labels, "multi_label_classification", CedFeatureExtractor())
    teachers = load_teachers(TeacherChoice((str(ced), str(convolutional))), compute)
    teachers.append(FunctionTeacher(half, labels))
    settings = DistillStoreSettings(views=ViewSettings(epochs=2, chunk_s=1.0), compute=compute)
    clips = read_clip_data(data, DataSettings())
    facts = distill_run.facts_of(clips, teachers, settings)
    with ExitStack() as stack:
        here = list(view_work(teachers, facts, compute, stack).outcomes(clips.sources()))
    work = work_of(arrived(view_recipe(teachers, facts, compute)), 1)
    assert work.settings == view_recipe(teachers, facts, compute).settings
    assert [shown(one) for one in work.outcomes(clips.sources())] == [shown(one) for one in here]
    assert [type(one).__name__ for one in here].count("ScoredWindow") == 4


def half(waveform):
    return np.full(527, 0.5)


def shown(outcome: object) -> object:
    return (outcome.start, outcome.probabilities.tobytes()) if isinstance(outcome, ScoredWindow) else outcome


def test_a_clip_is_scored_alike(data, tmp_path):
    model = load_model(resolve(str(micro_checkpoint(tmp_path / "ced"))), Compute(device="cpu"))
    examples = [Example(str(data / "a.wav"), "a.wav", (), start, stop) for start, stop in ((0, 20_000), (8_000, None))]
    examples += [Example(str(data / name), name, ()) for name in ("b.wav", "c.wav")]
    with ThreadPoolExecutor(1, initializer=model.scorer.prepare_thread) as pool:
        here = list(clip_work(model.scorer, 16_000, pool).outcomes(segmented(examples)))
    there = list(work_of(arrived(clip_recipe(model, 16_000, None)), 2).outcomes(segmented(examples)))
    for one, other in zip(here, there, strict=True):
        if isinstance(one, FileFailed):
            assert one == other
            continue
        assert isinstance(one, SegmentsEnd)
        assert [value.tolist() for value in one.values] == [value.tolist() for value in other.values]
    assert [len(getattr(one, "values", ())) for one in here] == [2, 1, 0]


def test_what_a_machine_cannot_load_is_a_sentence_with_its_name(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "node7")
    absent = b"cno_such_module\nfunction\n."  # as pickle writes a function by its name
    with pytest.raises(CedtagError, match=r"the machine node7 cannot load what it was sent .*'no_such_module'"):
        work_of(Parcel(absent, ()), 1)
