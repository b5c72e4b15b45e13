from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cedtag.cli import COMMANDS, cli
from cedtag.writers import WRITERS
from tests.micro import CHECKPOINT

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "speech.wav", 0.1 * rng.standard_normal(16_000), 16_000)
    monkeypatch.chdir(tmp_path)
    code, _ = blocks("python")
    namespace: dict[str, object] = {}
    exec(code.replace('"ced-tiny"', repr(str(CHECKPOINT))), namespace)
    assert capsys.readouterr().out.strip() == namespace["label"]
    assert namespace["loss"].item() > 0


def test_the_python_about_written_rows_runs(cedtag, sounds, capfdbinary):
    _, code = blocks("python")
    assert cedtag("sounds", "-o", "tags.jsonl").code == 0
    exec(code, {})
    assert b"SoundEvent(" in capfdbinary.readouterr().out


def test_the_demonstration_shows_what_the_readme_shows(cedtag):
    shown = re.search(r"```\n(sample\.ogg\n.*?)```", README, re.DOTALL)
    assert shown is not None
    assert shown[1] in cedtag("demo").stdout.decode()


def test_the_test_command_is_what_is_checked_before_a_change_lands():
    (command,) = [block for block in blocks("sh") if "pytest" in block]
    checked = (ROOT / ".ci" / "run").read_text()
    assert [
        part for part in command.strip().split(" && ") if part.replace("install", "install -q") not in checked
    ] == []


def test_every_option_in_the_readme_exists():
    known = {"--check"}  # of other programs in the examples
    for name in COMMANDS:
        command = cli.get_command(None, name)
        for one in [command, *getattr(command, "commands", {}).values()]:
            known.update(option for parameter in one.params for option in [*parameter.opts, *parameter.secondary_opts])
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert used - known - {"--help"} == set()


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_in_the_readme(name):
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name):
    assert re.search(rf"cedtag {name}\b", README) or name == "tag"
