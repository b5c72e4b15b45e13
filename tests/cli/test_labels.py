from __future__ import annotations

import pytest
from click.testing import CliRunner

from cedtag.cli.labels import command
from cedtag.errors import InputError
from cedtag.labels.table import audioset


def run(*arguments: str) -> str:
    return CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False).stdout


def test_a_pipe_gets_the_classes_in_model_order_as_tab_separated_rows():
    rows = [f"{label.index}\t{label.mid}\t{label.name}" for label in audioset()]
    assert run() == "\n".join(["index\tmid\tname", *rows, ""])


def test_find_looks_in_names_and_mids_whatever_the_case():
    assert run("--find", "CHAINSAW") == "index\tmid\tname\n347\t/m/01j4z9\tChainsaw\n"
    assert run("--find", "/M/01J4Z9") == run("--find", "chainsaw")


def test_the_tree_shows_what_is_above_and_below_of_what_was_found():
    assert run("--tree", "--find", "canidae") == (
        "index\tmid\tname\n"
        "72\t/m/0jbk\tAnimal\n"
        "108\t/m/01280g\t  Wild animals\n"
        "122\t/m/01z5f\t    Canidae, dogs, wolves\n"
        "77\t/m/07qf0zm\t      Howl\n"
        "79\t/m/0ghcn6\t      Growling\n"
    )


def test_the_whole_tree_has_a_line_for_each_place_of_each_node():
    lines = run("--tree").splitlines()
    assert lines[:4] == [
        "index\tmid\tname",
        "\t/m/0dgw9r\tHuman sounds",
        "\t/m/09l8g\t  Human voice",
        "0\t/m/09x0r\t    Speech",
    ]
    assert len(lines) == 691


@pytest.mark.parametrize("arguments", [["--find", "chainsow"], ["--tree", "--find", "chainsow"]])
def test_finding_nothing_says_what_may_be_meant(arguments):
    with pytest.raises(InputError, match="did you mean 'Chainsaw'"):
        run(*arguments)


def test_a_terminal_gets_a_table(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    command(["--find", "roaring"], standalone_mode=False)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        " index  mid       name",
        "   109  /m/0cdnk  Roaring cats (lions, tigers)",
    ]
