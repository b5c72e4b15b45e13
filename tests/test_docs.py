"""What the README and the pages in docs/ say is true: commands and Python run, names exist, nothing is left out."""

from __future__ import annotations

import os
import pydoc
import re
from typing import TYPE_CHECKING
from unittest.mock import patch

import click
import pytest

import cedtag as library
from cedtag.cli import COMMANDS, cli
from cedtag.writers import WRITERS
from tests.pages import PAGES, ROOT, Runner, blocks, prepare

if TYPE_CHECKING:
    from pathlib import Path

README, CONTRIBUTING, ARCHITECTURE = (ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "ARCHITECTURE"))
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
# Options of other programs, and of benchmarks, in the examples.
FOREIGN_OPTIONS = {"--check", "--dist", "--table"}


def commands() -> dict[str, click.Command]:
    """Every command, and every command of a group, by what is typed."""
    found: dict[str, click.Command] = {}
    with click.Context(cli) as context:
        for name in COMMANDS:
            command = cli.get_command(context, name)
            assert command is not None
            below = command.commands if isinstance(command, click.Group) else {}
            found |= {name: command, **{f"{name} {one}": command for one, command in below.items()}}
    return found


def options(command: click.Command) -> set[str]:
    """The long names of a command's options."""
    names = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
    return {name for name in names if name.startswith("--")}


def mentioned(text: str) -> set[str]:
    """The options that stand in a text."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_and_the_python_of_a_page_run(page: Path, cedtag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path)
    with patch.dict(os.environ):  # --offline and --no-color set variables
        runner = Runner(cedtag, tmp_path, monkeypatch)
        for block in blocks(page):
            runner.run(block)


def test_the_demonstration_shows_what_the_readme_shows(cedtag):
    (shown,) = (block.text for block in blocks(README) if block.text.startswith("sample.ogg\n"))
    assert shown in cedtag("demo").stdout.decode()


def test_the_test_command_is_what_is_checked_before_a_change_lands():
    (command,) = (block.text for block in blocks(README) if "pytest" in block.text)
    checked = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    parts = command.strip().split(" && ")
    assert [part for part in parts if part.replace("install", "install -q") not in checked] == []


@pytest.mark.parametrize("page", [*PAGES, CONTRIBUTING], ids=lambda page: page.stem)
def test_the_options_on_a_page_exist(page: Path):
    known = {"--help", "--version", *FOREIGN_OPTIONS}.union(*map(options, commands().values()))
    assert mentioned(page.read_text(encoding="utf-8")) - known == set()


@pytest.mark.parametrize("name", commands())
def test_every_option_of_a_command_is_on_a_page(name: str):
    assert options(commands()[name]) - mentioned(TEXT) == set()


@pytest.mark.parametrize("name", commands())
def test_every_command_is_on_a_page(name: str):
    assert re.search(rf"cedtag {name}\b", TEXT)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_on_the_page_of_formats(name: str):
    assert f"`{name}`" in (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(library.__all__) - {"__version__"}))
def test_every_name_of_the_library_has_an_example_and_a_docstring(name: str):
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)))
    assert name in ("SAMPLE_RATE_HZ",) or len(getattr(library, name).__doc__ or "") > 20


def test_help_shows_every_name_of_the_library():
    text = pydoc.plain(pydoc.render_doc(library))
    assert [name for name in library.__all__ if name.strip("_") not in text] == []


@pytest.mark.parametrize("page", [*PAGES, CONTRIBUTING, ARCHITECTURE], ids=lambda page: page.stem)
def test_links_lead_to_pages_and_headings_that_exist(page: Path):
    for target, _, heading in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]+))?\)", page.read_text(encoding="utf-8")):
        there = page.parent / target if target else page
        assert there.exists(), f"{page.name} links to {target}"
        assert not heading or heading in anchors(there), f"{page.name} links to {target}#{heading}"


def anchors(page: Path) -> set[str]:
    """What follows the # in links to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
