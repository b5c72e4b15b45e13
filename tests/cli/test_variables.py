"""Options that come from variables of the environment: every option of every command, and the errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click
import pytest

from cedtag.cli import cli
from cedtag.cli.shared.options import Option
from cedtag.cli.shared.variables import EVERYWHERE, TAGGING, variables

if TYPE_CHECKING:
    from collections.abc import Iterator


def options() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every option with the words that call its command, but for --help and --version."""
    for name in cli.list_commands(None):
        command = cli.get_command(None, name)
        below = command.commands.items() if isinstance(command, click.Group) else [(None, command)]
        for sub, one in below:
            words = (name,) if sub is None else (name, sub)
            yield from ((words, option) for option in one.params if is_named(option))


def is_named(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not parameter.is_eager


def parameters() -> list[Any]:
    return [pytest.param(*one, id=f"{' '.join(one[0])} {one[1].name}") for one in options()]


def meaning(words: tuple[str, ...], option: click.Option) -> str:
    """What one variable may stand for: an option of one command, of tagging, or of everything."""
    name = max(option.opts, key=len)
    if not EVERYWHERE.isdisjoint(one.lstrip("-") for one in option.opts):
        return name
    return f"tagging {name}" if words[0] in TAGGING else f"{' '.join(words)} {name}"


def test_no_variable_has_two_meanings():
    seen: dict[str, set[str]] = {}
    for words, option in options():
        own, *shared = variables(words, [*option.opts, *option.secondary_opts])
        for name in own:
            seen.setdefault(name, set()).add(f"{' '.join(words)} {option.name}")
        for name in (one for group in shared for one in group):
            seen.setdefault(name, set()).add(meaning(words, option))
    assert {name: found for name, found in seen.items() if len(found) > 1} == {}


@pytest.fixture
def context_of():
    """The context of a command with these arguments, and nothing run."""

    def make(words, monkeypatch) -> click.Context:
        root = click.Context(cli, info_name="cedtag")
        command: Any = cli
        parent = root
        for word in words:
            command = command.get_command(parent, word)
            parent = click.Context(command, info_name=word, parent=parent)
        return parent

    return make


def texts_of(option: click.Option) -> tuple[str, Any]:
    """The text of a variable, and the value that the option has then."""
    if option.is_flag:
        return "1", True
    if isinstance(option.type, click.Choice):
        one = next(iter(option.type.choices))
        return (one, (one,)) if option.multiple else (one, one)
    if option.nargs == 2:
        return "2 5", (2.0, 5.0)
    if isinstance(option.type, click.IntRange | click.FloatRange) or option.type is click.FLOAT:
        return "0.5" if "float" in option.type.name else "3", 0.5 if "float" in option.type.name else 3
    if option.multiple:
        return "one, two\n'three' four\n", ("one, two", "'three' four")
    name = "." if getattr(option.type, "exists", False) else "a b"
    return name, name


@pytest.mark.parametrize(("words", "option"), parameters())
def test_every_option_comes_from_each_of_its_variables(words, option, context_of, monkeypatch):
    assert isinstance(option, Option)
    text, value = texts_of(option)
    for name in [one for group in variables(words, option.opts) for one in group]:
        with monkeypatch.context() as patch:
            patch.setenv(name, text)
            context = context_of(words, patch)
            found, _ = option.handle_parse_result(context, {}, [])
            assert (str(found) if isinstance(value, str) else found) == value, name
            assert option.place_of(context) == name


def test_values_of_a_repeatable_option_stand_on_lines_and_may_hold_blanks(cedtag, sounds, monkeypatch):
    wanted = cedtag("sounds/c.ogg", "-t", 0, "--labels", "Male speech, man speaking", "--labels", "Bark").stdout
    monkeypatch.setenv("CEDTAG_LABELS", "Male speech, man speaking\nBark\n")
    monkeypatch.setenv("CEDTAG_THRESHOLD", "0")
    assert cedtag("sounds/c.ogg").stdout == wanted
    assert wanted.count(b"\n") == 3


def test_an_output_may_have_a_blank_in_its_name(cedtag, sounds, tmp_path, monkeypatch):
    monkeypatch.setenv("CEDTAG_OUTPUT", "my out.csv")
    assert cedtag("sounds/c.ogg").code == 0
    assert (tmp_path / "my out.csv").exists()


def test_an_alias_of_an_option_has_a_variable_too(cedtag, sounds, monkeypatch):
    wanted = cedtag("sounds/c.ogg", "-k", 0, "--min-conf", 0.45, "-f", "csv").stdout
    monkeypatch.setenv("CEDTAG_MIN_CONF", "0.45")
    assert cedtag("sounds/c.ogg", "-k", 0, "-f", "csv").stdout == wanted
    assert cedtag("sounds/c.ogg", "-k", 0, "-f", "csv", "-t", 0.1).stdout != wanted
    monkeypatch.setenv("CEDTAG_THRESHOLD", "0.4")
    refused = cedtag("sounds/c.ogg")
    assert refused.code == 2
    assert "CEDTAG_THRESHOLD and CEDTAG_MIN_CONF are the same option" in refused.stderr


def test_a_variable_with_the_name_of_the_command_comes_before_the_general_one(cedtag, sounds, monkeypatch):
    wanted = cedtag("sounds/c.ogg", "-k", 1).stdout
    monkeypatch.setenv("CEDTAG_TOP_K", "3")
    monkeypatch.setenv("CEDTAG_TAG_TOP_K", "1")
    assert cedtag("sounds/c.ogg").stdout == wanted


def test_the_opposite_of_a_switch_has_a_variable_too(cedtag, sounds, monkeypatch):
    wanted = cedtag("sounds", "--no-recursive", "-f", "csv").stdout
    for name, text in (("CEDTAG_NO_RECURSIVE", "1"), ("CEDTAG_RECURSIVE", "no")):
        with monkeypatch.context() as patch:
            patch.setenv(name, text)
            assert cedtag("sounds", "-f", "csv").stdout == wanted


def test_variables_for_tagging_leave_other_commands_alone(cedtag, sounds, tmp_path, monkeypatch):
    wanted = cedtag("demo").stdout
    os.chdir(tmp_path)
    rows = cedtag("sounds/c.ogg", "sounds/a.wav", "-t", 0, "-o", "rows.csv")
    assert rows.code == 0
    for name, text in (("LABELS", "Bark"), ("THRESHOLD", "0.9"), ("PRECISION", "int8"), ("OUTPUT", "x.csv")):
        monkeypatch.setenv(f"CEDTAG_{name}", text)
    assert cedtag("demo").stdout == wanted
    os.chdir(tmp_path)
    assert cedtag("convert", "rows.csv", "-f", "csv").code == 0
    assert b"mAP" in cedtag("evaluate", "--scores", "rows.csv", data_file()).stdout
    assert not os.path.exists("x.csv")  # noqa: PTH110


def data_file() -> str:
    with open("data.csv", "w", encoding="utf-8") as out:  # noqa: PTH123
        out.write("file,labels\nsounds/c.ogg,Speech\nsounds/a.wav,Music\n")
    return "data.csv"


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("CEDTAG_TOP_K", "x", "CEDTAG_TOP_K: 'x' is not a valid integer range."),
        ("CEDTAG_TOP_K", "-1", "CEDTAG_TOP_K: -1 is not in the range x>=0."),
        ("CEDTAG_TAG_TOP_K", "x", "CEDTAG_TAG_TOP_K: 'x' is not a valid integer range."),
        ("CEDTAG_MIN_CONF", "2", "CEDTAG_MIN_CONF 2: a threshold is a number from 0 to 1"),
        ("CEDTAG_OVERLAP", "x", "CEDTAG_OVERLAP"),
        ("CEDTAG_FORMAT", "csv jsonl", "CEDTAG_FORMAT: 'csv jsonl' is not one of"),
        ("CEDTAG_EVENTS", "maybe", "CEDTAG_EVENTS: 'maybe' is not a valid boolean."),
        ("CEDTAG_NO_RESUME", "maybe", "CEDTAG_NO_RESUME: 'maybe' is not a valid boolean."),
        ("CEDTAG_LABELS", "Brak", "CEDTAG_LABELS: no label is called 'Brak'"),
        ("CEDTAG_EXCLUDE", "Brak", "CEDTAG_EXCLUDE: no label is called 'Brak'"),
        ("CEDTAG_WATCH", "Brak", "CEDTAG_WATCH: no label is called 'Brak'"),
        ("CEDTAG_WHERE", "Brak > 0.5", "CEDTAG_WHERE 'Brak > 0.5', column 1 at 'Brak': no label"),
        ("CEDTAG_THRESHOLD", "Brak=0.5", "CEDTAG_THRESHOLD: no label is called 'Brak'"),
        ("CEDTAG_FILES_FROM", "nosuch.txt", "CEDTAG_FILES_FROM nosuch.txt: cannot be read"),
        ("CEDTAG_SHARD", "0/3", "CEDTAG_SHARD"),
        ("CEDTAG_TIMEZONE", "Mars", "CEDTAG_TIMEZONE"),
        ("CEDTAG_CHANNEL", "none", "CEDTAG_CHANNEL"),
        ("CEDTAG_RAW", "x", "CEDTAG_RAW"),
        ("CEDTAG_DEVICE", "tpu", "CEDTAG_DEVICE"),
        ("CEDTAG_BATCH_SIZE", "x", "CEDTAG_BATCH_SIZE"),
        ("CEDTAG_MODEL", "dmo", "CEDTAG_MODEL"),
    ],
)
def test_an_error_names_the_variable(cedtag, sounds, monkeypatch, variable, text, said):
    monkeypatch.setenv(variable, text)
    done = cedtag("sounds/c.ogg")
    assert done.code in (1, 2)
    assert said in done.stderr


def test_other_commands_name_their_variables_too(cedtag, sounds, monkeypatch):
    monkeypatch.setenv("CEDTAG_FINETUNE_EPOCHS", "0")
    assert "CEDTAG_FINETUNE_EPOCHS: 0 is not in the range" in cedtag("finetune", "sounds", "-o", "m").stderr
    monkeypatch.setenv("CEDTAG_DOCTOR_FORMAT", "xml")
    assert "CEDTAG_DOCTOR_FORMAT: 'xml' is not one of" in cedtag("doctor").stderr


def test_an_empty_variable_is_none(cedtag, sounds, monkeypatch):
    wanted = cedtag("sounds/c.ogg").stdout
    for name in ("TOP_K", "LABELS", "OUTPUT", "EVENTS", "TIMEZONE"):
        monkeypatch.setenv(f"CEDTAG_{name}", "")
    assert cedtag("sounds/c.ogg").stdout == wanted


UNKNOWN = {
    "CEDTAG_TRESHOLD": "did you mean CEDTAG_THRESHOLD?",
    "CEDTAG_EPOCHS": "did you mean CEDTAG_FINETUNE_EPOCHS or CEDTAG_DISTILL_STORE_EPOCHS?",
    "CEDTAG_MY_PROJECT": "docs/settings.md has the table",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_variable_that_sets_no_option_is_named_once(cedtag, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    for line in (["labels", "--find", "Siren"], ["models", "list"], ["convert", "nosuch.csv", "-o", "x.csv"]):
        said = cedtag(*line).stderr
        assert said.count(f"cedtag: the variable {name} sets no option; {UNKNOWN[name]}\n") == 1, said
        assert name not in cedtag(*line, "-q").stderr


def test_a_variable_of_any_command_is_known_to_all(cedtag, monkeypatch):
    known = ("CEDTAG_FINETUNE_EPOCHS", "CEDTAG_MODELS_RM_YES", "CEDTAG_MIN_CONF", "CEDTAG_NO_RESUME", "CEDTAG_CONFIG")
    for name in known:
        monkeypatch.setenv(name, "1")
    assert cedtag("labels", "--find", "Siren").stderr == ""
