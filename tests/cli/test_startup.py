from __future__ import annotations

import os
import subprocess
import sys

import click
import numpy as np
import pytest
import soundfile

from cedtag.cli import COMMANDS, cli
from tests.micro import CHECKPOINT

HEAVY = {
    "torch",
    "torchaudio",
    "ray",
    "pyarrow",
    "av",
    "numpy",
    "huggingface_hub",
    "onnxruntime",
    "matplotlib",
    "sklearn",
}
PROBE = """
import contextlib, os, sys
sys.argv = ["cedtag"]
silence = open(os.devnull, "w")
with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence), contextlib.suppress(SystemExit):
    {code}
print(*sys.modules)
"""


def loaded_by(code: str, **env: str) -> set[str]:
    """The heavy packages that are loaded once some code has run in a fresh interpreter."""
    command = [sys.executable, "-c", PROBE.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | env, timeout=60)
    return set(done.stdout.split()) & HEAVY


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["tag", "--help"],
        ["evaluate", "--help"],
        ["finetune", "--help"],
        ["completion", "bash"],
        ["--bogus"],
        [],
    ],
)
def test_help_version_and_completion_scripts_load_nothing_heavy(args):
    assert loaded_by(f"from cedtag.cli import run; run({args!r})") == set()


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import cedtag, cedtag.errors, cedtag.records, cedtag.labels.table") == set()


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "needed"), [("torch", {"torch", "torchaudio"}), ("onnx", {"onnxruntime"})])
def test_the_first_row_waits_for_nothing_heavy_but_what_scores(backend, needed, tmp_path):
    for package in needed:
        pytest.importorskip(package)
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000, np.int16), 16_000)
    words = ["tag", f"{tmp_path}/a.wav", "-m", str(CHECKPOINT), "--backend", backend, "-f", "tsv"]
    assert loaded_by(f"from cedtag.cli import run; run({words!r})") == {"numpy", *needed}


def test_completing_loads_nothing_heavy():
    for line in (
        "cedtag mo",
        "cedtag tag --la",
        "cedtag -m ",
        "cedtag -m demo --labels S",
        "cedtag -f ",
        "cedtag -d c",
    ):
        words = {"_CEDTAG_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_CUR": line.rpartition(" ")[2]}
        assert loaded_by("from cedtag.cli import run; run([])", **words) == set()


def test_every_option_says_what_it_does():
    for name in COMMANDS:
        command = cli.get_command(None, name)
        for one in [command, *getattr(command, "commands", {}).values()]:
            assert [option.opts for option in one.params if isinstance(option, click.Option) and not option.help] == []
