"""Scoring on a CPU computes in its own threads alone, and changes nothing for any other thread of the process."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from cedtag.audio import open_recording
from cedtag.checkpoints.locate import resolve
from cedtag.evaluation.recipe import clip_work
from cedtag.evaluation.scores import score_examples
from cedtag.inputs.manifest import Example
from cedtag.inputs.segments import segmented
from cedtag.model.network import CedForAudioClassification
from cedtag.records import Source
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.run.refinement import Refinement, refined
from cedtag.scoring import open_scorer
from cedtag.scoring.torch_threads import compute_alone
from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from cedtag.checkpoints.locate import Checkpoint

USUAL = 3  # neither one nor, most likely, what this machine has


@pytest.fixture(autouse=True)
def usual_threads():
    """Sets torch's number, so that OMP_NUM_THREADS=1 in the environment hides nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(USUAL)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def teams():
    """The numbers of threads with which torch computed, by the threads that scored."""
    return {}


@pytest.fixture
def scorer(teams):
    scorer = open_scorer(resolve(str(CHECKPOINT)), "torch", "cpu")

    def note(*_: object) -> None:
        teams.setdefault(threading.get_ident(), set()).add(torch.get_num_threads())

    scorer._model.register_forward_pre_hook(note)
    return scorer


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(8 * 16_000), 16_000)
    return str(path)


def threads_of_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(torch.get_num_threads).result()


def assert_usual() -> None:
    assert (torch.get_num_threads(), threads_of_a_new_thread()) == (USUAL, USUAL)


def test_a_model_is_loaded_in_one_thread(monkeypatch):
    numbers = []
    usual = CedForAudioClassification.from_checkpoint

    def noted(checkpoint: Checkpoint) -> CedForAudioClassification:
        numbers.append(torch.get_num_threads())
        return usual(checkpoint)

    monkeypatch.setattr(CedForAudioClassification, "from_checkpoint", noted)
    open_scorer(resolve(str(CHECKPOINT)), "torch", "cpu")
    assert numbers == [1]
    assert_usual()


def test_a_run_scores_in_one_thread_each_and_leaves_all_others_theirs(scorer, teams, recording):
    sources = [Source(recording, recording, recording)] * 3
    for num_scorers in (1, 2):
        events = score_recordings(sources, open_recording, scorer, PipelineSettings(16_000, 16_000, 2, num_scorers))
        next(events)
        if num_scorers == 1:  # else the other one may begin just now
            assert_usual()
        assert len(list(events)) == 3 * 9 - 1
        assert_usual()
    assert set(map(frozenset, teams.values())) == {frozenset({1})}


def test_a_refinement_scores_in_one_thread_each(scorer, teams, recording):
    sources = [Source(recording, recording, recording)]
    coarse = list(score_recordings(sources, open_recording, scorer, PipelineSettings(64_000, 64_000)))
    teams.clear()
    refinement = Refinement(open_recording, scorer, lambda window: frozenset({window.index}), 16_000, threads=2)
    assert len(list(refined(coarse, refinement))) > len(coarse)
    assert set(map(frozenset, teams.values())) == {frozenset({1})}
    assert_usual()


def test_an_evaluation_scores_in_one_thread_each(scorer, teams, recording):
    examples = [Example(recording, recording, (scorer.labels[0].name,))]
    with ThreadPoolExecutor(2, initializer=scorer.prepare_thread) as pool:
        outcomes = clip_work(scorer, 16_000, pool).outcomes(segmented(examples))
        score_examples(examples, scorer.labels, outcomes, skip_unknown=False)
    assert set(map(frozenset, teams.values())) == {frozenset({1})}
    assert_usual()


def test_many_threads_at_once_all_compute_alone():
    numbers = []

    def prepare() -> None:
        compute_alone()
        time.sleep(0.01)
        numbers.append(torch.get_num_threads())

    threads = [threading.Thread(target=prepare) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [1] * 20
    assert_usual()


def test_a_prepared_thread_may_be_prepared_again():
    def prepare() -> int:
        compute_alone()
        compute_alone()
        return torch.get_num_threads()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(prepare).result() == 1
    assert_usual()


def test_other_backends_need_no_preparation():
    pytest.importorskip("onnxruntime")
    open_scorer(resolve(str(CHECKPOINT)), "onnx", "cpu").prepare_thread()
    assert_usual()
