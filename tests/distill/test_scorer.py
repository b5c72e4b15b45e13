"""The scorer of views, as the engine calls it on a GPU: clips of any recordings and lengths in one call."""

from __future__ import annotations

import numpy as np
import torch

from cedtag.distill.scorer import ViewScorer
from cedtag.distill.settings import DistillStoreCompute, TeacherChoice
from cedtag.distill.store import StoreFacts
from cedtag.distill.teachers import common_front_end, load_teachers
from cedtag.records import Source, Window
from tests.micro import CHECKPOINT


def test_clips_of_several_recordings_have_the_rows_that_each_has_alone():
    teachers = load_teachers(TeacherChoice((str(CHECKPOINT),)), DistillStoreCompute(device="cpu"))
    facts = StoreFacts(
        seed=1,
        epochs=3,
        top_k=20,
        chunk=160_000,
        classes=teachers[0].classes,
        teachers=tuple((one.name, one.digest) for one in teachers),
        front_end=common_front_end(teachers),
        device="cpu",
        precision="fp32",
        data="",
        recordings=2,
        blocks=1,
    )
    scorer = ViewScorer(teachers, facts, torch.device("cpu"))
    rng = np.random.default_rng(0)
    windows = [
        Window(Source(name, name, name), 0, start, rng.uniform(-0.5, 0.5, length).astype(np.float32))
        for name, start, length in (("a", 0, 16_000), ("b", 0, 8_000), ("a", 16_000, 16_000), ("b", 8_000, 16_000))
    ]
    together, alone = scorer.score(windows), np.concatenate([scorer.score([window]) for window in windows])
    assert together.shape == (4, 3 * 527 + 4)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.array_equal(together[:, -4:], alone[:, -4:])
