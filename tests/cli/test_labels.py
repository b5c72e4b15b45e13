from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cedtag.cli.demo import FOLDER
from cedtag.cli.labels import command
from cedtag.errors import InputError
from cedtag.labels.table import audioset

SAMPLE = FOLDER / "sample.ogg"


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


def test_the_classes_of_a_model_are_listed(cedtag, monkeypatch):
    listed = cedtag("labels", "-m", "demo")
    assert listed.lines[0] == "index\tmid\tname"
    assert len(listed.lines) == 22
    assert "12\t/m/03kmc9\tSiren" in listed.lines
    monkeypatch.setenv("CEDTAG_MODEL", "demo")
    assert cedtag("labels").lines == listed.lines
    assert cedtag("labels", "--find", "siren").lines[1:] == ["12\t/m/03kmc9\tSiren"]
    assert cedtag("labels", "--tree", "--find", "bark").lines[1:] == [
        "\t/m/0jbk\tAnimal",
        "\t/m/068hy\t  Domestic animals, pets",
        "\t/m/0bt9lr\t    Dog",
        "3\t/m/05tny_\t      Bark",
    ]


def test_classes_that_are_not_audiosets_are_listed_too(cedtag, tmp_path):
    config = {"model_type": "ced", "depth": 2, "outputdim": 2, "id2label": {"0": "Bark", "1": "Zilpzalp"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").touch()
    assert cedtag("labels", "-m", tmp_path).lines[1:] == ["0\t/m/05tny_\tBark", "1\t\tZilpzalp"]
    assert cedtag("labels", "-m", tmp_path, "--tree").lines[-2:] == ["0\t/m/05tny_\t      Bark", "1\t\tZilpzalp"]
    assert cedtag("labels", "-m", tmp_path, "--tree", "--find", "zilp").lines[1:] == ["1\t\tZilpzalp"]


def test_published_models_need_not_be_here_and_others_must(cedtag, monkeypatch):
    monkeypatch.delenv("CEDTAG_MODEL")
    assert cedtag("labels", "-m", "base").lines == cedtag("labels").lines
    missing = cedtag("labels", "-m", "me/mine")
    assert missing.code == 1
    assert missing.stderr.endswith("; `cedtag models download me/mine` fetches it\n")
    assert "offline" not in missing.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--labels", "Fart"],
            "--labels: no label is called 'Fart', nor anything like it; `cedtag labels -m demo`",
        ),
        (["--labels", "Brak"], "--labels: no label is called 'Brak'; did you mean 'Bark'?"),
        (["--labels", "Siren,Speech"], "give 'Siren' and 'Speech' one by one: repeat the option"),
        (["--exclude", "Siren; Dog"], "give 'Siren' and 'Dog' one by one: repeat the option"),
        (["--labels", "Dog,Siren", "--group"], "give 'Dog' and 'Siren' one by one: repeat the option"),
        (["-t", "Brak=0.5"], "--threshold: no label is called 'Brak'; did you mean 'Bark'?"),
    ],
)
def test_an_unknown_class_is_compared_with_those_of_the_model(cedtag, options, said):
    done = cedtag(SAMPLE, "-m", "demo", *options)
    assert done.code == 2
    assert said in done.stderr


@pytest.mark.parametrize("name", ["dmo", "Demo", "ced-demo"])
def test_the_model_in_the_package_is_suggested(cedtag, name):
    assert f"{name}: no such model; did you mean demo?" in cedtag(SAMPLE, "-m", name).stderr
