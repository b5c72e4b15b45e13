from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parent.parent / "benchmarks" / "soak.py"


@pytest.mark.slow
def test_killed_again_and_again_a_run_comes_to_the_same_bytes():
    command = [sys.executable, SOAK, "--files", "60", "--kills", "3", "--kinds", "folder"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["folder"]
    assert "0 kills" not in done.stdout
