from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cedtag.audio import open_recording
from cedtag.bench.corpus import CONTAINERS, can_be_made, write_checkpoint, write_recording
from cedtag.checkpoints.locate import resolve
from cedtag.model.config import CedConfig
from cedtag.records import Source, Window
from cedtag.scoring import open_scorer


@pytest.mark.parametrize("container", CONTAINERS)
def test_recordings_have_their_length_and_sound(tmp_path, container):
    if not can_be_made(container):
        pytest.skip("needs PyAV")
    path = str(write_recording(tmp_path / f"a.{container}", 3))
    with open_recording(Source(path, path, "a")) as recording:
        samples = np.concatenate(list(recording.blocks()))
    assert (recording.problems, recording.warnings) == ([], [])
    # Encoders may pad the end by a frame.
    assert 48_000 <= len(samples) <= 48_000 + 1152
    assert 0.05 < np.abs(samples).mean() < 0.5


def test_a_checkpoint_of_random_weights_gives_the_same_scores_in_each_backend(tmp_path):
    pytest.importorskip("onnxruntime")
    config = CedConfig(embed_dim=48, num_heads=3, depth=2)
    checkpoint = resolve(str(write_checkpoint(tmp_path / "model", config)))
    samples = (0.1 * np.random.default_rng(0).standard_normal(160_000)).astype(np.float32)
    windows = [Window(Source("a", "a", "a"), 0, 0, samples)]
    torch, onnx = (open_scorer(checkpoint, backend, "cpu", "fp32").score(windows) for backend in ("torch", "onnx"))
    assert np.abs(torch - onnx).max() < 1e-5
    assert 0.01 < torch.std() < 0.5
    assert Path(checkpoint.weights).stat().st_size > 10_000
