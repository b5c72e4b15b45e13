"""A score that is not finite is never dropped in silence, whatever it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file, save_file

from cedtag.checkpoints.locate import resolve
from cedtag.errors import ModelError
from cedtag.records import LARGEST_SAMPLE, Source, Window
from cedtag.scoring import open_scorer
from cedtag.scoring.checked import checked_scores
from tests.micro import CHECKPOINT, micro_checkpoint
from tests.processors import skip_without_bf16

if TYPE_CHECKING:
    from pathlib import Path

BACKENDS = [("torch", "fp32"), ("torch", "bf16"), ("onnx", "fp32"), ("onnx", "int8")]


def broken_checkpoint(folder: Path) -> Path:
    """A checkpoint whose weights are finite and whose scores are not."""
    weights = load_file(micro_checkpoint(folder) / "model.safetensors")
    weights["encoder.init_bn.running_var"] = -weights["encoder.init_bn.running_var"]
    save_file(weights, folder / "model.safetensors")
    return folder


@pytest.fixture(params=BACKENDS, ids="-".join)
def backend(request) -> tuple[str, str]:
    if request.param[0] == "onnx":
        pytest.importorskip("onnxruntime")
    if request.param[1] == "bf16":
        skip_without_bf16()
    return request.param


def window(samples: np.ndarray) -> Window:
    return Window(Source("a.wav", "a.wav", "a.wav"), 3, 48_000, np.ascontiguousarray(samples, np.float32))


def test_finite_weights_that_are_broken_are_an_error_that_names_checkpoint_and_window(tmp_path, backend):
    folder = broken_checkpoint(tmp_path / "broken")
    with pytest.raises(ModelError, match=r"broken.*a\.wav at 3\.000 s|broken.*running_var"):
        checked_scores(open_scorer(resolve(str(folder)), backend[0], "cpu", backend[1]), [window(np.ones(16_000))])


def test_the_command_line_says_so_in_a_sentence(cedtag, tmp_path, backend):
    folder = broken_checkpoint(tmp_path / "broken")
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 40_000), 16_000)
    done = cedtag("-m", folder, "--backend", backend[0], "--precision", backend[1], tmp_path / "a.wav")
    assert done.code == 1
    assert done.stderr.startswith("cedtag: ")
    assert "broken" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_largest_samples_that_are_read_have_finite_scores(backend):
    scorer = open_scorer(resolve(str(CHECKPOINT)), backend[0], "cpu", backend[1])
    square = np.where(np.arange(160_000) // 100 % 2, LARGEST_SAMPLE, -LARGEST_SAMPLE)
    for samples in (square, np.full(160_000, LARGEST_SAMPLE), np.full(160_000, 1e-40)):
        assert np.isfinite(scorer.score([window(samples)])).all()
