from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.pages import ROOT


@pytest.mark.slow
def test_the_script_for_gpus_runs_to_its_end_on_a_cpu(tmp_path):
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--quick", "-o", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    measured = {row["what"]: row["value"] for row in rows if not row["note"]}
    for what in (
        "mp3 decoded on all cores",
        "products alone",
        "model alone, as it is",
        "features and model, one thread",
        "mp3 files to rows",
        "mp3, two runs side by side",
    ):
        assert measured[what] > 0
    differences = {row["precision"]: row["value"] for row in rows if row["what"] == "largest difference from the CPU"}
    assert differences["fp32"] < 1e-5
    # What needs CUDA has its reason in place of a figure.
    lacking = [row for row in rows if row["note"]]
    assert {row["value"] for row in lacking} == {None}
    assert {row["note"] for row in lacking if row["what"] == "model alone, CUDA graph"} == {"RuntimeError: needs CUDA"}
