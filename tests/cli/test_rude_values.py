"""Every option of every command takes any value, or refuses it with a sentence and a documented exit code."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from cedtag.cli import cli
from tests.archive import StubScorer, stub_tagger, write_recording

pytestmark = pytest.mark.slow

NUMBERS = ("nan", "inf", "-inf", "1e999", "-1", "9" * 5000, "0")
TEXTS = ("", " ", "x" * 300, "y/" * 3000, os.fsdecode(b"\xff"), "\x1b]0;x\a", "%s{label}{", "@", "=", "(", "[z-a]", "*")
PLACES = ("a.wav", "rows.csv", "a folder", "a folder/", "a.wav/inside", "no/such/place", "unreadable", ".")
OPERANDS = {
    "tag": ["a.wav"],
    "events": ["a.wav"],
    "events rows": ["rows.csv"],
    "report": ["rows.csv"],
    "extract": ["rows.csv"],
    "convert": ["rows.csv"],
    "merge": ["rows.csv"],
    "evaluate": ["labels.csv", "--scores", "rows.csv"],
    "distill store": ["a folder"],
    "distill train": ["a folder"],
    "models info": ["demo"],
    "models path": ["demo"],
}
NEEDED = {"report": ["-o", "page.html"], "extract": ["-o", "clips"], "merge": ["-o", "all.csv"]}
NEEDED |= {"distill store": ["-m", "nosuch", "-o", "store"], "distill train": ["-o", "student"]}
# Train, load, remove, measure for minutes: their options are those above.
LEFT_OUT = {"finetune", "models download", "models rm", "demo", "bench"}


@pytest.fixture
def load_tagger():
    return stub_tagger(StubScorer())


def commands() -> dict[str, click.Command]:
    """Every command by the words that call it."""
    found: dict[str, click.Command] = {}
    for name in cli.list_commands(None):  # type: ignore[arg-type]
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        subcommands = command.commands if isinstance(command, click.Group) else {"": command}
        words = {f"{name} {sub}".strip(): one for sub, one in subcommands.items()}
        found |= {called: one for called, one in words.items() if called not in LEFT_OUT}
    return found | {"events rows": found["events"]}


def with_values() -> list[Any]:
    """Each option that takes a value, with its command."""
    return [
        pytest.param(name, max(option.opts, key=len), option.nargs, id=f"{name} {option.name}")
        for name, command in commands().items()
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag and not option.count
    ]


def operands() -> list[Any]:
    return [
        pytest.param(name, id=name)
        for name, command in commands().items()
        if any(isinstance(one, click.Argument) for one in command.params)
    ]


@pytest.fixture
def called(cedtag, tmp_path, monkeypatch):
    """Calls a command in a folder with a recording, results, labels, a folder and a file that cannot be read."""
    start = tmp_path / "start"
    start.mkdir()
    monkeypatch.chdir(start)
    write_recording(Path("a.wav"), np.random.default_rng(0))
    write_recording(Path("b.wav"), np.random.default_rng(1))
    Path("a folder").mkdir()
    Path("labels.csv").write_text("file,labels\na.wav,Speech\nb.wav,Conversation\n")
    Path("unreadable").mkdir(mode=0)
    assert cedtag("a.wav", "b.wav", "-q", "-o", "rows.csv").code == 0

    def call(name: str, *args: str) -> None:
        here = tmp_path / "here"
        shutil.copytree(start, here)
        monkeypatch.chdir(here)
        try:
            done = cedtag(*name.removesuffix(" rows").split(), *args)
        finally:
            monkeypatch.chdir(start)
            shutil.rmtree(here)
        assert done.code in range(5), (args, done.stderr)
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stderr, args
        assert done.code in (0, 3, 4) or "cedtag: " in done.stderr, (args, done.stderr)

    return call


@pytest.mark.parametrize(("name", "option", "nargs"), with_values())
def test_any_value_of_an_option_ends_in_good_order(called, name, option, nargs):
    for value in (*NUMBERS, *TEXTS, *PLACES):
        needed = [] if option == "--output" else NEEDED.get(name, [])
        called(name, *OPERANDS.get(name, []), *needed, option, *[value] * nargs)


@pytest.mark.parametrize("name", operands())
def test_any_operand_ends_in_good_order(called, name):
    for value in (*NUMBERS, *TEXTS, *PLACES):
        called(name, *NEEDED.get(name, []), "--", value)
