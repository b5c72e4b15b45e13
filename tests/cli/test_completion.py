from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cedtag.cli.completion import SHELLS, completion_script

FOLDER = Path(__file__).parent.parent.parent / "completions"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_in_the_repository_are_current(shell):
    assert (FOLDER / SHELLS[shell]).read_text() == completion_script(shell)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script(cedtag, shell):
    assert cedtag("completion", shell).stdout.decode() == completion_script(shell)


def test_an_unknown_shell_is_a_usage_error(cedtag):
    assert cedtag("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("cedtag la", {"plain,labels"}),
        ("cedtag --include", {"plain,--include-glob"}),
        ("cedtag tag --ret", {"plain,--retry-failed"}),
        ("cedtag completion f", {"plain,fish"}),
        ("cedtag sounds/x", {"file,sounds/x"}),
        ("cedtag a.wav --layout w", {"plain,wide"}),
    ],
)
def test_what_a_shell_is_offered(words, wanted):
    env = os.environ | {
        "_CEDTAG_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "cedtag"], capture_output=True, text=True, env=env, check=True, timeout=60
    )
    assert wanted <= set(done.stdout.splitlines())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_reads_its_script():
    script = FOLDER / SHELLS["bash"]
    done = subprocess.run(["bash", "-c", f"source {script} && complete -p cedtag"], capture_output=True, check=True)
    assert b"cedtag" in done.stdout
