"""Options from a file: presets, and the settings of results."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from pathlib import Path

PRESETS = """
[loud]
threshold = [0.45, "Speech=0"]
top_k = 3
window = 2

[one]
labels = "Speech"
most-specific = true
events = false
"""


@pytest.fixture(autouse=True)
def config(sounds, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    file = tmp_path / "cedtag.toml"
    file.write_text(PRESETS)
    return file


def test_a_preset_stands_for_its_options(cedtag):
    wanted = cedtag("sounds", "-f", "csv", "-t", 0.45, "-t", "Speech=0", "-k", 3, "-w", 2).stdout
    assert cedtag("@loud", "sounds", "-f", "csv").stdout == wanted
    assert cedtag("tag", "-f", "csv", "sounds", "@loud").stdout == wanted
    both = cedtag("@loud", "@one", "sounds", "-f", "csv").stdout
    assert both == cedtag("@loud", "sounds", "-f", "csv", "--labels", "Speech").stdout
    assert cedtag("events", "@loud", "sounds", "-f", "csv").code == 0


def test_the_command_line_and_variables_come_before_a_preset(cedtag, monkeypatch):
    wanted = cedtag("sounds", "-f", "csv", "-t", 0.45, "-t", "Speech=0", "-k", 1, "-w", 2).stdout
    assert cedtag("@loud", "sounds", "-f", "csv", "-k", 1).stdout == wanted
    monkeypatch.setenv("CEDTAG_TOP_K", "1")
    assert cedtag("@loud", "sounds", "-f", "csv").stdout == wanted
    assert cedtag("@loud", "sounds", "-f", "csv", "-k", 3).stdout != wanted


def test_the_file_is_named_by_a_variable_or_lies_in_the_users_settings(cedtag, config, tmp_path, monkeypatch):
    wanted = cedtag("@loud", "sounds", "-f", "csv").stdout
    (tmp_path / "settings" / "cedtag").mkdir(parents=True)
    shutil.move(config, tmp_path / "settings" / "cedtag" / "cedtag.toml")
    assert cedtag("@loud", "sounds", "-f", "csv").stdout == wanted
    shutil.move(tmp_path / "settings" / "cedtag" / "cedtag.toml", tmp_path / "mine.toml")
    assert "cedtag.toml: cannot be read" in cedtag("@loud", "sounds").stderr
    monkeypatch.setenv("CEDTAG_CONFIG", "mine.toml")
    assert cedtag("@loud", "sounds", "-f", "csv").stdout == wanted


def test_the_preset_is_shown_on_request(cedtag):
    shown = "cedtag: preset one of cedtag.toml: labels = Speech, most-specific = True, events = False\n"
    assert shown in cedtag("@one", "sounds", "-v").stderr
    assert shown in cedtag("@one", "sounds", "-v", "--dry-run").stderr
    assert shown not in cedtag("@one", "sounds").stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("topk = 3", "cedtag.toml [mine] topk: there is no such option; did you mean top-k"),
        ("top-k = 'x'", "cedtag.toml [mine] top-k: 'x' is not a valid integer range."),
        ("top-k = 2.5", "cedtag.toml [mine] top-k: '2.5' is not a valid integer range."),
        ("top-k = true", "cedtag.toml [mine] top-k: expected a text or a number"),
        ("top-k = [1, 2]", "cedtag.toml [mine] top-k: expected one text or number"),
        ("group = 1", "cedtag.toml [mine] group: expected true or false"),
        ("labels = [1979-05-27]", "cedtag.toml [mine] labels: expected texts or numbers"),
        ("labels = {a = 1}", "cedtag.toml [mine] labels: expected texts or numbers"),
        ("labels = 'Brak'", "cedtag.toml [mine] labels: no label is called 'Brak'"),
        ("model = 'dmo'", "cedtag.toml [mine] model: dmo: no such model"),
        ("threshold = 2", "cedtag.toml [mine] threshold 2: a threshold is a number"),
        ("help = true", "cedtag.toml [mine] help: there is no such option"),
        ("=", "cedtag.toml: is no TOML"),
    ],
)
def test_what_is_wrong_in_a_preset_is_said_with_file_and_key(cedtag, config, monkeypatch, text, said):
    if text.startswith("model"):
        monkeypatch.delenv("CEDTAG_MODEL")
    config.write_text(f"[mine]\n{text}\n")
    done = cedtag("@mine", "sounds")
    assert done.code in (1, 2)
    assert said in done.stderr


def test_other_mistakes_of_presets_are_sentences(cedtag, config):
    assert "has no preset lout (there: @loud, @one); a path is written ./@lout" in cedtag("@lout", "sounds").stderr
    config.write_text("top-k = 3\n")
    assert "cedtag.toml: top-k is outside of a preset" in cedtag("@loud", "sounds").stderr


def test_a_folder_with_such_a_name_is_a_path(cedtag, sounds):
    sounds.rename(sounds.parent / "@loud")
    assert b"./@loud/a.wav" in cedtag("./@loud", "-f", "csv").stdout


RUNS = [
    ["-w", "2", "--hop", "1", "-k", "3", "-t", "0.3", "-t", "Speech=0.01", "--exclude", "Music"],
    ["--labels", "Animal", "--group", "--channel", "each", "-b", "2"],
    ["--level", "2", "--where", "Speech > 0.1", "--watch", "Bark", "--start-time", "2024-05-01T05:30:00+02:00"],
    ["--events", "--onset", "0.5", "--onset", "Speech=0.4", "--min-duration-on", "0.5", "--refine", "0.5"],
    ["--events", "--onset", "0.5", "--frames", "-w", "2"],
    ["--from", "1", "--to", "0:00:02.5", "-w", "1"],
]


@pytest.mark.parametrize("options", RUNS)
@pytest.mark.parametrize("place", ["then.json", "then.jsonl", "then.csv", "then.csv.journal"])
def test_loaded_settings_give_the_same_results(cedtag, monkeypatch, options, place):
    assert cedtag("sounds/a.wav", *options, "-o", place.removesuffix(".journal")).code == 0
    wanted = cedtag("sounds/a.wav", *options, "-f", "json").stdout
    monkeypatch.setenv("CEDTAG_TOP_K", "1")
    monkeypatch.setenv("CEDTAG_MODEL", "nosuch")
    # A table and a journal hold windows, of which events are made.
    events = options if "--events" in options and "csv" in place else []
    again = cedtag("sounds/a.wav", "--load-settings", place, *events, "-f", "json")
    assert again.stderr == ""
    assert again.stdout == wanted


def test_options_come_before_loaded_settings(cedtag):
    assert cedtag("sounds", "-k", 3, "-w", 2, "-o", "then.jsonl").code == 0
    wanted = cedtag("sounds", "-k", 1, "-w", 2, "-f", "csv").stdout
    assert cedtag("sounds", "--load-settings", "then.jsonl", "-k", 1, "-f", "csv").stdout == wanted


def test_another_model_under_the_same_name_is_refused(cedtag, tmp_path):
    shutil.copytree(CHECKPOINT, tmp_path / "mine")
    assert cedtag("sounds", "-m", "./mine", "-o", "then.jsonl").code == 0
    weights = tmp_path / "mine" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + bytes(4))
    refused = cedtag("sounds", "--load-settings", "then.jsonl")
    assert refused.code == 2
    assert "then.jsonl: was made with other weights than" in refused.stderr


def test_files_without_settings_are_refused(cedtag, tmp_path):
    (tmp_path / "rows.csv").write_text("file,start,end,rank,index,mid,label,score\n")
    assert "rows.csv: holds no settings of a run" in cedtag("sounds", "--load-settings", "rows.csv").stderr
    assert cedtag("sounds", "-o", "then.jsonl").code == 0
    both = cedtag("sounds", "@loud", "--load-settings", "then.jsonl")
    assert "alternatives; use one of them" in both.stderr


@pytest.mark.parametrize("options", [["-t", "Speech=0.01"], ["--events", "--onset", "Speech=0.4", "--refine", "0.5"]])
def test_settings_with_names_from_a_table_choose_the_same_classes(cedtag, tmp_path, options):
    (tmp_path / "names.csv").write_text("label,name\nSpeech,Sprache\n")
    names = ["--label-language", "names.csv"]
    assert cedtag("sounds/a.wav", *options, *names, "-o", "then.json").code == 0
    again = cedtag("sounds/a.wav", "--load-settings", "then.json", *names, "-f", "json")
    assert again.stderr == ""
    assert again.stdout == cedtag("sounds/a.wav", *options, *names, "-f", "json").stdout
    others = cedtag("sounds/a.wav", "--load-settings", "then.json", "-f", "json")
    assert "cedtag: then.json: its names of classes came from a table, which --label-language names" in others.stderr
    assert others.code == 0
    assert b"Sprache" not in others.stdout


@pytest.mark.parametrize("output", [["one.csv", "--layout", "file"], ["wide.csv", "--layout", "wide"], ["one.sqlite"]])
def test_the_journal_beside_any_output_holds_its_settings(cedtag, output):
    assert cedtag("sounds", "-k", 3, "-w", 2, "-o", *output).code == 0
    wanted = cedtag("sounds", "-k", 3, "-w", 2, "-f", "csv").stdout
    assert cedtag("sounds", "--load-settings", output[0], "-f", "csv").stdout == wanted
