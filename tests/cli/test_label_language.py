"""Names of classes in another language: in all results, and in nothing that chooses classes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cedtag.cli.demo import FOLDER

SAMPLE = FOLDER / "sample.ogg"
NAMES = "mid,label,name\n/m/03kmc9,,Sirene\n,speech,Sprache\n/m/none,,Nichts\n"


@pytest.fixture(autouse=True)
def names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("names.csv").write_text("\ufeff" + NAMES, encoding="utf-8")


@pytest.fixture
def cedtag(cedtag, monkeypatch):
    monkeypatch.setenv("CEDTAG_MODEL", "demo")
    return cedtag


def rows(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(text.decode().splitlines()))


def test_results_show_the_names_and_keep_index_and_mid(cedtag):
    english = rows(cedtag(SAMPLE, "-k", 0, "-t", 0.05, "-f", "csv").stdout)
    german = rows(cedtag(SAMPLE, "-k", 0, "-t", 0.05, "-f", "csv", "--label-language", "names.csv").stdout)
    assert {row["label"] for row in german} >= {"Sprache", "Sirene", "Mains hum"}
    translated = {"Speech": "Sprache", "Siren": "Sirene"}
    assert german == [{**row, "label": translated.get(row["label"], row["label"])} for row in english]


@pytest.mark.parametrize("name", ["table", "json", "jsonl", "audacity", "rttm", "srt", "raven", "dcase"])
def test_every_format_shows_them(cedtag, name):
    shown = cedtag(SAMPLE, "-f", name, "--label-language", "names.csv").stdout.decode()
    assert "Sirene" in shown
    assert "Siren " not in shown


def test_classes_are_chosen_by_their_english_names(cedtag):
    chosen = ["--labels", "Siren", "-t", "Siren=0.2", "--where", "Siren > 0.3", "--watch", "Speech"]
    done = cedtag(SAMPLE, *chosen, "-f", "csv", "--label-language", "names.csv")
    assert {row["label"] for row in rows(done.stdout)} == {"Sirene"}
    events = cedtag("events", SAMPLE, "--onset", "Siren=0.99", "-f", "csv", "--label-language", "names.csv")
    assert [row["label"] for row in rows(events.stdout)] == ["Sprache", "Mains hum"]
    wide = cedtag(SAMPLE, "--layout", "wide", "-f", "csv", "--labels", "Siren", "--label-language", "names.csv")
    assert wide.lines[0] == "file,start,end,Sirene"


def test_other_names_are_another_run(cedtag):
    assert cedtag(SAMPLE, "-o", "rows.csv", "--label-language", "names.csv").code == 0
    assert cedtag(SAMPLE, "-o", "rows.csv", "--label-language", "names.csv").code == 0
    refused = cedtag(SAMPLE, "-o", "rows.csv")
    assert refused.code == 1
    assert "--label-language was" in refused.stderr
    assert cedtag(SAMPLE, "-o", "names.csv", "--overwrite", "--label-language", "names.csv").code == 2
    assert Path("names.csv").read_text(encoding="utf-8-sig") == NAMES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mid,name\n/m/03kmc9,\n", "names.csv: line 2 needs the columns mid or label, and name"),
        ("Siren\n", "names.csv: holds no name"),
        ("label,name\nSiren,Ton\nSpeech,Ton\n", "Speech and Siren are both called Ton; give each its own name"),
        ("label,name\nSiren,Speech\n", "are both called Speech"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(cedtag, text, said):
    Path("names.csv").write_text(text, encoding="utf-8")
    done = cedtag(SAMPLE, "--label-language", "names.csv")
    assert done.code == 2
    assert said in done.stderr


def test_a_language_without_a_table_says_what_is_needed(cedtag):
    done = cedtag(SAMPLE, "--label-language", "de")
    assert done.code == 2
    assert "--label-language de: no such file; cedtag has English names alone, so give a CSV file" in done.stderr
