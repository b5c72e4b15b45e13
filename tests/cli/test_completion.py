"""Completion, as the shells themselves do it: keys are typed at their prompts."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cedtag.cli.shared.shells import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent.parent
FILES = {"bash": "cedtag.bash", "zsh": "_cedtag", "fish": "cedtag.fish"}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_scripts_in_the_repository_are_current(shell):
    assert (ROOT / "completions" / FILES[shell]).read_text() == SCRIPTS[shell]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_command_prints_the_script(cedtag, shell):
    assert cedtag("completion", shell).stdout.decode() == SCRIPTS[shell]


def test_an_unknown_shell_is_a_usage_error(cedtag):
    assert cedtag("completion", "tcsh").code == 2


def offered(line: str) -> list[str]:
    """The lines of the answer for fish, to a line whose words hold no blanks."""
    *words, current = line.split(" ")
    env = {"_CEDTAG_COMPLETE": "fish_complete", "COMP_WORDS": "\n".join(words), "COMP_CUR": current}
    command = [sys.executable, "-m", "cedtag"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | env, check=True, timeout=60)
    return [text.rstrip("\t").replace("\t", ",", 1) for text in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("cedtag la", ["plain,labels\tList or find the classes.", "file,la"]),
        ("cedtag completion f", ["plain,fish"]),
        ("cedtag sounds/x", ["file,sounds/x"]),
        ("cedtag a.wav --layout w", ["plain,wide"]),
        ("cedtag a.wav --format=ra", ["plain,--format=raven"]),
        ("cedtag --format=ra", ["plain,--format=raven"]),
        ("cedtag --output=ra", ["prefix,--output=", "file,ra"]),
        ("cedtag a.wav -o out/", ["file,out/"]),
        ("cedtag a.wav --plot p", ["file,p"]),
        ("cedtag --files-from li", ["file,li"]),
        ("cedtag --cache-dir d", ["dir,d"]),
        ("cedtag -m d", ["plain,demo", "file,d"]),
        ("cedtag -d c", ["plain,cpu", "plain,cuda", "plain,cuda:0"]),
        ("cedtag --labels chainS", ["plain,Chainsaw"]),
        ("cedtag -m demo --labels accord", []),
        ("cedtag -m demo --labels silenc", ["plain,Silence"]),
        ("cedtag -t chains", ["plain,Chainsaw="]),
        ("cedtag -t @thr", ["prefix,@", "file,thr"]),
        ("cedtag events a.wav @for", ["plain,@forest"]),
        ("cedtag a.wav @for", ["plain,@forest"]),
        ("cedtag @for", ["plain,@forest"]),
        ("cedtag --timezone Europe/Berl", ["plain,Europe/Berlin"]),
        ("cedtag models info de", ["plain,demo"]),
        ("cedtag report rows.csv -t 0.", []),
        ("cedtag finetune data.csv -o my", ["dir,my"]),
        ("cedtag evaluate --scores r", ["file,r"]),
        ("cedtag --nosuch a.wav -m d", ["plain,demo", "file,d"]),
    ],
)
def test_what_a_shell_is_offered(line, wanted, tmp_path, monkeypatch):
    monkeypatch.setenv("CEDTAG_CONFIG", str(tmp_path / "cedtag.toml"))
    (tmp_path / "cedtag.toml").write_text("[forest]\n")
    assert offered(line) == wanted


def test_models_of_the_cache_are_offered(tmp_path, monkeypatch):
    (tmp_path / "hub" / "models--me--my-birds").mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert offered("cedtag -m me") == ["plain,me/my-birds", "file,me"]


class Shell:
    """A shell at a terminal, to which keys are sent."""

    def __init__(self, command: list[str], first: str, env: dict[str, str]) -> None:
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvpe(command[0], command, env)
        self._type(first + "\n")

    def words(self, keys: str) -> list[str]:
        """The words of the command line after these keys, as the shell splits it."""
        self._type("\x15" + keys)  # Ctrl-U clears what is there
        self._type("\x01printf '<%s>' \x05; echo '' en''d\n")
        return [word.rstrip("/") for word in re.findall("<([^<>]*)>", self._read_until(" end"))]

    def close(self) -> None:
        os.close(self._terminal)
        os.waitpid(self._pid, 0)

    def _type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def _read(self, patience_s: float) -> str:
        ready, _, _ = select.select([self._terminal], [], [], patience_s)
        return os.read(self._terminal, 1 << 16).decode(errors="replace") if ready else ""

    def _read_until(self, end: str) -> str:
        text, deadline = "", time.monotonic() + 30
        while end not in text.replace("''", "") or not re.search(r"> end\r?\n", text):
            text += self._read(1.0)
            assert time.monotonic() < deadline, text
        return text[text.rfind("<cedtag>") :]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with recordings and lists to stand in, and the program in `bin/`."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "bin").mkdir()
    program = folder / "bin" / "cedtag"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cedtag "$@"\n')
    program.chmod(0o755)
    (folder / "my recordings").mkdir()
    for name in ("my recordings/robin's song.wav", "list of files.txt", "thresholds.csv"):
        (folder / name).write_text("")
    return folder


@pytest.fixture(scope="module", params=["bash", "zsh"])
def shell(request, folder) -> Iterator[Shell]:
    if shutil.which(request.param) is None:
        pytest.skip(f"needs {request.param}")
    script = ROOT / "completions" / FILES[request.param]
    env = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "TERM": "dumb",
        "PS1": "$ ",
        "HISTFILE": "",
        "LC_ALL": "C.UTF-8",
        "_CEDTAG_TEST": "",
    }
    first = {
        "bash": f"bind 'set enable-bracketed-paste off'; cd '{folder}'; source {script}",
        "zsh": f"bindkey -e; cd '{folder}'; autoload -U compinit; compinit -u -D; source {script}",
    }
    command = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
    shell = Shell(command[request.param], first[request.param], env)
    yield shell
    shell.close()


TYPED = [
    ("cedtag mod\t", ["cedtag", "models"]),
    ("cedtag fine\t", ["cedtag", "finetune"]),
    ("cedtag my\t", ["cedtag", "my recordings"]),
    ("cedtag my\\ recordings/ro\t", ["cedtag", "my recordings/robin's song.wav"]),
    ("cedtag tag --retr\t", ["cedtag", "tag", "--retry-failed"]),
    ("cedtag a.wav --files-from li\t", ["cedtag", "a.wav", "--files-from", "list of files.txt"]),
    ("cedtag a.wav -o my\t", ["cedtag", "a.wav", "-o", "my recordings"]),
    ("cedtag a.wav -m dem\t", ["cedtag", "a.wav", "-m", "demo"]),
    ("cedtag a.wav -f audac\t", ["cedtag", "a.wav", "-f", "audacity"]),
    ("cedtag a.wav --format=audac\t", ["cedtag", "a.wav", "--format=audacity"]),
    ("cedtag a.wav -d mp\t", ["cedtag", "a.wav", "-d", "mps"]),
    ("cedtag a.wav --labels Male\\ sp\t", ["cedtag", "a.wav", "--labels", "Male speech, man speaking"]),
    ('cedtag a.wav --labels "Male sp\t', ["cedtag", "a.wav", "--labels", "Male speech, man speaking"]),
    ("cedtag a.wav --labels chainsa\t", ["cedtag", "a.wav", "--labels", "Chainsaw"]),
    ("cedtag a.wav --exclude=Male\\ sp\t", ["cedtag", "a.wav", "--exclude=Male speech, man speaking"]),
    ("cedtag a.wav -t @thr\t", ["cedtag", "a.wav", "-t", "@thresholds.csv"]),
]


@pytest.mark.slow
def test_bash_and_zsh_complete_commands_options_values_and_paths(shell):
    assert {keys: shell.words(keys) for keys, _ in TYPED} == dict(TYPED)


@pytest.fixture(scope="module")
def fish(folder) -> Callable[[str], list[str]]:
    """What fish offers for a command line."""
    if shutil.which("fish") is None:
        pytest.skip("needs fish")

    def offers(line: str) -> list[str]:
        script = ROOT / "completions" / FILES["fish"]
        env = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "LINE": line}
        code = f"source {script}; complete -C $LINE"
        done = subprocess.run(
            ["fish", "--no-config", "-c", code], capture_output=True, text=True, cwd=folder, env=env, timeout=60
        )
        assert done.stderr == ""
        return [text.split("\t")[0] for text in done.stdout.splitlines()]

    return offers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("cedtag mod", ["models"]),
        ("cedtag my", ["my recordings/"]),
        ("cedtag tag --retr", ["--retry-failed"]),
        ("cedtag a.wav --files-from li", ["list of files.txt"]),
        ("cedtag a.wav -m dem", ["demo"]),
        ("cedtag a.wav --format=audac", ["--format=audacity"]),
        ("cedtag a.wav --labels 'Male sp", ["Male speech, man speaking"]),
        ("cedtag a.wav -t @thr", ["@thresholds.csv"]),
        ("cedtag a.wav -m demo --labels ", None),
    ],
)
def test_fish_completes_commands_options_values_and_paths(fish, line, wanted):
    found = fish(line)
    assert found == wanted if wanted is not None else len(found) == 21
