"""The pages for users as blocks of commands and Python, and a folder in which these run as they stand.

A page's blocks run in order, in one folder. Lines of `sh` blocks run in this process, through the fixture `cedtag`; a
line ends with the exit code 0, or with that of its comment: `# exit code 3`. What cannot run stands in `NOT_RUN`. The
small checkpoint of the tests takes the place of the published ones, and trainings last one epoch.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

# Reads its variables once, when it is imported: before a page sets them with --offline.
import huggingface_hub.constants  # noqa: F401
import numpy as np
import soundfile

from cedtag.checkpoints.locate import PACKAGED
from cedtag.checkpoints.registry import REPO_BY_NAME
from tests.micro import CHECKPOINT, micro_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from tests.conftest import Finished

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

# The beginning of a command line, or an option in it -> why it is not run.
NOT_RUN = {
    "pip": "installs packages",
    "ruff": "checks this repository",
    "mypy": "checks this repository",
    "pytest": "checks this repository",
    "python -m benchmarks": "takes minutes",
    "cedtag bench": "takes minutes",
    "cedtag models download": "asks the Hub",
    "cedtag models rm": "needs a model in the cache of the Hub",
    "--network": "asks the Hub",
    "--device cuda": "needs a GPU",
}
LIVE_SOURCES = ("arecord", "ffmpeg")  # their output is half a second of raw PCM here
SHOWN_BY = ("head", "jq")  # what comes out of the command before them must be lines
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_EXIT_CODE = re.compile(r"# exit code (\d+)$")


@dataclass(frozen=True)
class Block:
    """The text of a fenced block, in a language, from a line (counted from 1) of a page on."""

    page: Path
    line: int
    language: str
    text: str


@dataclass(frozen=True)
class CommandLine:
    """One line of an `sh` block, and the exit code that the page states."""

    where: str
    text: str
    code: int

    def pipelines(self) -> Iterator[list[list[str]]]:
        """The words of each command, pipeline by pipeline: `a && b | c` is [[a]], [[b], [c]]."""
        lexer = shlex.shlex(self.text, posix=True, punctuation_chars="&|")
        lexer.whitespace_split = True
        pipeline: list[list[str]] = [[]]
        for word in lexer:
            if word == "&&":
                yield pipeline
                pipeline = [[]]
            elif word == "|":
                pipeline.append([])
            else:
                pipeline[-1].append(word)
        yield pipeline


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [Block(page, text.count("\n", 0, match.start(2)) + 1, match[1], match[2]) for match in _BLOCK.finditer(text)]


def command_lines(block: Block) -> Iterator[CommandLine]:
    """The lines of an `sh` block that hold a command."""
    for number, text in enumerate(block.text.splitlines(), block.line):
        if text.strip() and not text.startswith("#"):
            stated = _EXIT_CODE.search(text)
            yield CommandLine(f"{block.page.name}:{number}", text, int(stated[1]) if stated else 0)


def prepare(folder: Path) -> None:
    """Make the recordings and files that the pages name: a second of noise each."""
    rng = np.random.default_rng(7)
    (folder / "damaged").mkdir()
    names = ["birds.wav", "street.wav", "speech.wav", "-odd-name.wav", "damaged/whole.wav", "damaged/cut.wav"]
    names += [f"recordings/{label}/{number}.wav" for label in ("Dog", "Rain") for number in range(1, 5)]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, 0.1 * rng.standard_normal(16_000), 16_000)
    cut = folder / "damaged" / "cut.wav"
    cut.write_bytes(cut.read_bytes()[:20_000])
    (folder / "list.txt").write_text("birds.wav\nstreet.wav\n", encoding="utf-8")
    (folder / ".local/share/bash-completion/completions").mkdir(parents=True)
    micro_checkpoint(folder / "ced-tiny")
    small = {"model_type": "ced", "embed_dim": 24, "num_heads": 3, "depth": 1, "outputdim": 2}
    (folder / "small.json").write_text(json.dumps(small), encoding="utf-8")
    # Files that a page shows are those that its commands read.
    (folder / "thresholds.csv").write_text(_shown("tags.md", "label,threshold"), encoding="utf-8")
    (folder / "data.csv").write_text(_shown("training.md", "file,labels,fold"), encoding="utf-8")
    (folder / "names.csv").write_text(_shown("tags.md", "mid,label,name"), encoding="utf-8")
    (folder / "cedtag.toml").write_text(_shown("settings.md", "[forest]"), encoding="utf-8")


def _shown(page: str, header: str) -> str:
    (text,) = (block.text for block in blocks(ROOT / "docs" / page) if block.text.startswith(header))
    return text


class Runner:
    """Runs the blocks of a page, which go on from each other's files and names."""

    def __init__(self, cedtag: Callable[..., Finished], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._cedtag, self._folder, self._monkeypatch = cedtag, folder, monkeypatch
        self._names: dict[str, object] = {"__name__": "page"}
        for name in (*REPO_BY_NAME, "mispeech/ced-mini", "mispeech/ced-mini@main"):
            monkeypatch.setitem(PACKAGED, name, CHECKPOINT)
        for option in ("EPOCHS", "TEACHER_EPOCHS", "WARM_UP"):
            monkeypatch.setenv(f"CEDTAG_FINETUNE_{option}", "1")
        monkeypatch.setenv("CEDTAG_DISTILL_TRAIN_EPOCHS", "1")

    def run(self, block: Block) -> None:
        """Run a block of commands or Python; blocks in other languages are only shown."""
        if block.language == "sh":
            for line in command_lines(block):
                self.run_line(line)
        elif block.language == "python":
            os.chdir(self._folder)
            # So that a traceback names the line of the page.
            code = "\n" * (block.line - 1) + block.text
            exec(compile(code, str(block.page), "exec"), self._names)

    def run_line(self, line: CommandLine) -> None:
        """Run one line; AssertionError when a command ends in another way than the page states."""
        for pipeline in line.pipelines():
            data = b""
            for words in pipeline:
                os.chdir(self._folder)
                data = self._run(line, words, data)

    def _run(self, line: CommandLine, words: list[str], data: bytes) -> bytes:
        """What a command writes to standard output, when it gets this data."""
        text = " ".join(words)
        if any(text.startswith(this) or f" {this}" in text for this in NOT_RUN):
            return b""
        if words[0] in LIVE_SOURCES:
            return bytes(16_000)
        if words[0] in SHOWN_BY:
            assert data.endswith(b"\n"), f"{line.where}: {text}: there is nothing to show"
            if words[0] == "jq":
                list(map(json.loads, data.splitlines()))
            return data
        if words[0] in ("find", "cp"):
            return subprocess.run(words, check=True, capture_output=True).stdout
        assert words[0] == "cedtag", f"{line.where}: what is {words[0]}? A reason not to run it belongs in NOT_RUN"
        return self._run_cedtag(line, words[1:], data)

    def _run_cedtag(self, line: CommandLine, words: list[str], data: bytes) -> bytes:
        target = None
        if ">" in words:
            words, target = words[: words.index(">")], Path(words[words.index(">") + 1].replace("~", str(self._folder)))
        if "<" in words:
            words, data = words[: words.index("<")], Path(words[words.index("<") + 1]).read_bytes()
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        finished = self._cedtag(*words)
        assert finished.code == line.code, f"{line.where}: {line.text}\n{finished.stderr}"
        if target is not None:
            target.write_bytes(finished.stdout)
        return finished.stdout
