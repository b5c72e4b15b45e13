"""The examples of CONTRIBUTING.md work as they stand, and the paths it and ARCHITECTURE.md name exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.micro import CHECKPOINT
from tests.pages import ROOT, blocks
from tests.test_layers import ROWS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTRIBUTING, ARCHITECTURE = ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md"
ROW = "birds.wav,0.000,1.000,1,0,/m/09x0r,Speech,0.9000\n"


def apply(diff: str, folder: Path) -> None:
    """Apply a diff: a hunk takes the place of the lines that it states, which must be there exactly once."""
    for part in re.split(r"^--- .*\n", diff, flags=re.MULTILINE)[1:]:
        name, *hunks = re.split(r"^@@ @@\n", part, flags=re.MULTILINE)
        path = folder / name.strip().removeprefix("+++ b/")
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            assert text.count(before) == 1 or not text, f"{path.name} does not hold once:\n{before}"
            text = text.replace(before, "".join(line[1:] for line in lines if line[0] in " +"), 1)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The command line of a copy of the package to which all examples were added; gives its output."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "cedtag", folder / "cedtag", ignore=shutil.ignore_patterns("__pycache__"))
    for block in blocks(CONTRIBUTING):
        if block.language == "diff":
            apply(block.text, folder)
    soundfile.write(folder / "birds.wav", 0.1 * np.random.default_rng(7).standard_normal(16_000), 16_000)
    (folder / "tags.csv").write_text("file,start,end,rank,index,mid,label,score\n" + ROW, encoding="utf-8")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cedtag", *arguments], cwd=folder, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_format_of_the_example_is_written(extended):
    assert extended("convert", "tags.csv", "-f", "md") == (
        "| file | start | end | label | score |\n|---|---|---|---|---|\n"
        "| birds.wav | 0.000 | 1.000 | Speech | 0.9000 |\n"
    )


def test_the_container_of_the_example_is_read(extended, tmp_path):
    av = pytest.importorskip("av")
    samples = (np.random.default_rng(7).standard_normal((1, 16_000)) * 2**27).astype(np.int32)
    with av.open(tmp_path / "birds.sox", "w", format="sox") as file:
        stream = file.add_stream("pcm_s32le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, format="s32", layout="mono")
        frame.sample_rate = 16_000
        file.mux([*stream.encode(frame), *stream.encode(None)])
    rows = extended(str(tmp_path), "-m", str(CHECKPOINT), "--backend", "onnx", "-k", "1")
    assert [line.split("\t")[:3] for line in rows.splitlines()[1:]] == [[f"{tmp_path}/birds.sox", "0.000", "1.000"]]


@pytest.mark.slow
def test_the_backend_of_the_example_scores(extended):
    scores = [
        float(extended("birds.wav", "-m", str(CHECKPOINT), "--backend", backend, "--labels", "Speech").split()[-1])
        for backend in ("torch", "two-levels")
    ]
    assert scores[0] != scores[1]


def test_the_command_of_the_example_runs(extended):
    assert extended("count", "tags.csv") == "1\tSpeech\n"


@pytest.mark.parametrize("page", [CONTRIBUTING, ARCHITECTURE], ids=lambda page: page.stem)
def test_the_paths_on_a_page_exist(page: Path):
    text = re.sub(r"^```diff\n.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    paths = re.findall(r"`((?:cedtag|tests|docs|benchmarks|completions)/[\w./-]*)`", text)
    assert paths
    assert [path for path in paths if not ((ROOT / path).exists() or (ROOT / f"{path}.py").exists())] == []


def test_the_floors_are_those_that_imports_keep():
    (floors,) = (block.text for block in blocks(ARCHITECTURE) if not block.language)
    assert tuple(floors.split()) == ROWS
