"""What every command takes, and what it says when it is done."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from cedtag.cli import COMMANDS, cli
from tests.archive import StubScorer, make_archive, stub_tagger

OPTIONS = ("--quiet", "--verbose", "--no-color", "--version")


@pytest.fixture
def load_tagger():
    return stub_tagger(StubScorer())


@pytest.fixture
def done(cedtag, tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with the results of four recordings in `tags.csv` and of shards in `1.csv` and `2.csv`."""
    monkeypatch.chdir(tmp_path)
    make_archive(tmp_path / "tree", 4)
    for output in (["tags.csv"], ["1.csv", "--shard", "1/2"], ["2.csv", "--shard", "2/2"]):
        assert cedtag("tree", "-w", "0.2", "-q", "-k", "2", "-t", "0", "-o", *output).code == 0
    return tmp_path


def commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = cli.get_command(None, name)
        assert command is not None
        below = command.commands if isinstance(command, click.Group) else {"": command}
        found |= {f"{name} {one}".strip(): each for one, each in below.items()}
    return found


@pytest.mark.parametrize("name", commands())
def test_every_command_has_the_options_of_all(cedtag, name):
    command = commands()[name]
    taken = [option for parameter in command.params for option in parameter.opts]
    assert all(taken.count(option) == 1 for option in OPTIONS), name
    assert cedtag(*name.split(), "-V").stdout == cedtag("-V").stdout
    assert cedtag(*name.split(), "-h").code == 0


@pytest.mark.parametrize("name", ["", *commands()])
def test_the_help_of_a_command_fits_into_80_columns(cedtag, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    lines = cedtag(*name.split(), "-h").stdout.decode().splitlines()
    assert [line for line in lines if len(line) > 80] == []


LINES = [
    (["convert", "tags.csv", "-o", "new.jsonl"], "new.jsonl: "),
    (["convert", "tags.csv", "-o", "labels/", "-f", "audacity"], "labels/: "),
    (["merge", "1.csv", "2.csv", "-o", "all.csv"], "all.csv: 4 recordings of 2 parts"),
    (["report", "tags.csv", "-o", "page.html"], "page.html: 0."),
    (["extract", "tags.csv", "-o", "clips/", "--max-per-class", "1"], "clips: "),
    (["events", "tags.csv", "-o", "events.csv"], "events.csv: "),
    (["tree/disk 0/rec 0000.wav", "-w", "0.2", "-o", "one.csv", "--no-progress"], "one.csv: 1 recording done; "),
]


@pytest.mark.parametrize(("args", "said"), LINES, ids=lambda value: value[0] if isinstance(value, list) else "")
def test_a_command_says_in_one_line_what_it_has_written_unless_it_is_to_be_quiet(cedtag, done, args, said):
    shown = cedtag(*args)
    assert (shown.code, shown.stdout, shown.stderr.count("\n")) == (0, b"", 1), shown.stderr
    assert shown.stderr.startswith(f"cedtag: {said}")
    assert cedtag(*args, "-q", "--overwrite").stderr == ""


def test_what_is_counted_is_what_was_written(cedtag, done):
    rows = len(Path("tags.csv").read_text().splitlines()) - 1
    said = cedtag("convert", "tags.csv", "-o", "new.tsv").stderr
    assert said == f"cedtag: new.tsv: {rows} tags, {rows // 2} windows, 4 recordings\n"
    assert len(Path("new.tsv").read_text().splitlines()) == rows + 1


def test_nothing_is_said_where_results_are_shown(cedtag, done):
    assert cedtag("convert", "tags.csv", "-f", "jsonl").stderr == ""
    assert cedtag("convert", "tags.csv", "-f", "jsonl", "-o", "-").stderr == ""


def test_a_warning_of_the_library_is_a_line_of_the_command_unless_it_is_to_be_quiet(cedtag, done):
    for words in (["convert"], ["report"], ["events"]):
        line = (*words, "tags.csv", "--labels", "Conversation", "-o", "new.html" if words == ["report"] else "new.csv")
        said = cedtag(*line, "--overwrite").stderr.splitlines()
        assert [one for one in said if "its run kept the 2 best tags of a window" in one], said
        assert all(one.startswith("cedtag: ") for one in said), said
        assert cedtag(*line, "--overwrite", "-v").stderr.splitlines() == said
        assert cedtag(*line, "--overwrite", "-q").stderr == ""
