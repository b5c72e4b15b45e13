"""The commands that make the tables of errors in docs/speed.md."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from benchmarks import precision_error, resampling_error
from tests.micro import CHECKPOINT


def test_every_backend_and_precision_has_a_row(tmp_path):
    pytest.importorskip("onnxruntime")
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 40_000), 16_000)
    done = CliRunner().invoke(
        precision_error.main, [str(CHECKPOINT), str(tmp_path), "--window", "1"], catch_exceptions=False
    )
    assert done.exit_code == 0
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.output.splitlines() if line[:1] == "|"]
    figures = {(row[0], row[1]): row[2:] for row in rows[2:]}
    assert list(figures) == [("onnx", "fp32"), ("torch", "bf16"), ("onnx", "int8")]
    assert 0 < float(figures["onnx", "fp32"][0]) < 1e-4
    assert 1e-5 < float(figures["onnx", "int8"][0]) < 0.1


def test_every_quality_of_resampling_has_a_row(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 44_100), 44_100)
    done = CliRunner().invoke(resampling_error.main, [str(CHECKPOINT), str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    changes = {row.split(" | ")[0]: float(row.split(" | ")[1]) for row in done.output.splitlines()[4:]}
    assert list(changes) == ["| VHQ", "| MQ", "| LQ"]
    assert 0 < changes["| VHQ"] < changes["| LQ"]
