"""What is named is looked at before a model is: a path that is not there, a folder without audio, a word that is near
a command."""

from __future__ import annotations

import pytest

from cedtag.cli import COMMANDS
from cedtag.cli.shared.suggestions import suggestions_for


@pytest.fixture
def load_tagger():
    def load(*args: object, **options: object) -> None:
        raise AssertionError("the model was loaded")

    return load


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("lables", "`cedtag labels`"),
        ("lables --find rain", "`cedtag labels`"),
        ("model list", "`cedtag models`"),
        ("evalute data.csv", "`cedtag evaluate`"),
        ("Labels", "`cedtag labels`"),
        ("list", "`cedtag labels` or `cedtag models list`"),
        ("ls", "`cedtag labels` or `cedtag models list`"),
        ("info", "`cedtag models info NAME` or `cedtag doctor`"),
        ("version", "`cedtag --version`"),
        ("hepl", "`cedtag --help`"),
        ("transcribe talk.mp3", "`cedtag PATH`"),
        ("download tiny", "`cedtag models download NAME`"),
        ("train birds/", "`cedtag finetune`"),
    ],
)
def test_a_word_that_is_near_a_command_is_asked_about(cedtag, sounds, words, meant):
    done = cedtag(*words.split())
    assert (done.code, done.stdout) == (2, b"")
    said = f"{words.split()[0]}: no such file, folder or command; did you mean {meant}?"
    assert done.stderr == f"cedtag: {said} (see cedtag --help)\n"


def test_help_is_help_unless_something_has_that_name(cedtag, sounds, tmp_path):
    assert cedtag("help").stdout == cedtag("--help").stdout
    assert cedtag("help", "labels").stdout == cedtag("labels", "--help").stdout
    (tmp_path / "help").mkdir()
    assert cedtag("help").code == 4


def test_every_suggestion_is_a_command_or_an_option():
    for word in ("list", "info", "download", "remove", "find", "train", "score", "check", "export", "cut", "detect"):
        for line in suggestions_for(word, COMMANDS):
            assert line.split()[0] in {*COMMANDS, "PATH", "--version", "--help"}
    assert suggestions_for("birds", COMMANDS) == ()


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["nosuch.wav"], 3, ["failed: nosuch.wav: cannot be opened (No such file or directory)"]),
        (["birds"], 3, ["failed: birds: cannot be opened (No such file or directory)"]),
        (["events", "nosuch.wav"], 3, ["failed: nosuch.wav: cannot be opened (No such file or directory)"]),
        (["1.wav", "2.wav"], 3, [f"failed: {n}.wav: cannot be opened (No such file or directory)" for n in (1, 2)]),
        (["empty"], 4, ["no audio found; see --include-glob and --recursive, or name a file"]),
        (["notes", "empty"], 4, ["no audio found; see --include-glob and --recursive, or name a file"]),
        (
            ["sounds", "--include-glob", "*.mp3"],
            4,
            ["no audio found; see --include-glob and --recursive, or name a file"],
        ),
        (["--files-from", "list"], 3, ["failed: gone.wav: cannot be opened (No such file or directory)"]),
        (["empty", "--shard", "1/2"], 4, ["no audio found; see --include-glob and --recursive, or name a file"]),
    ],
)
def test_what_cannot_be_tagged_is_said_before_a_model_is_looked_for(cedtag, sounds, tmp_path, args, code, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    (tmp_path / "list").write_text("gone.wav\n")
    before = sorted(tmp_path.rglob("*"))
    done = cedtag(*args, "-o", "tags.csv", "-m", "nobody/nothing")
    assert (done.code, done.stderr.splitlines()) == (code, [f"cedtag: {line}" for line in said])
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("args", [["sounds"], ["sounds", "gone.wav"], ["-"], ["sounds", "--shard", "1/100"]])
def test_a_model_is_loaded_where_there_is_something_to_tag(cedtag, sounds, args):
    with pytest.raises(AssertionError, match="the model was loaded"):
        cedtag(*args)
