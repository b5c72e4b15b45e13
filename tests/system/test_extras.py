from __future__ import annotations

import re
import shlex
import sys
from importlib import util

import pytest

from cedtag.system import extras
from tests.test_project_files import PROJECT


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}


def test_the_extras_are_those_of_the_project():
    stated = {name: names(lines) for name, lines in PROJECT["project"]["optional-dependencies"].items()}
    known = {name: set(packages) for name, packages in extras.EXTRAS.items()}
    assert known.pop("torch") <= names(PROJECT["project"]["dependencies"])
    assert known == {name: stated[name] for name in stated if name != "dev"}


@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_the_command_installs_the_packages_themselves_into_this_python(extra):
    command = shlex.split(extras.install_command(*extras.EXTRAS[extra]))
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert names(command[4:]) == set(extras.EXTRAS[extra])


def test_the_command_holds_the_versions_of_the_distribution(monkeypatch):
    monkeypatch.setattr(extras, "_requirements", lambda: ["numpy>=1.26", 'scikit_learn>=1.5,<3 ; extra == "train"'])
    assert extras.install_command("scikit-learn", "pandas").endswith(" install 'scikit_learn>=1.5,<3' pandas")


def test_where_there_is_no_pip_the_command_is_that_of_uv(monkeypatch):
    monkeypatch.setattr(extras, "_requirements", list)
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    assert extras.install_command("av") == f"uv pip install --python {shlex.quote(sys.executable)} av"


def test_what_cannot_be_found_is_not_installed():
    assert extras.is_installed("soundfile")
    assert not extras.is_installed("no-such-package")
