"""What the system refuses is one sentence and a documented exit code, whichever command meets it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.archive import StubScorer, stub_tagger

LONG = "x" * 300


@pytest.fixture
def load_tagger():
    return stub_tagger(StubScorer())


@pytest.mark.parametrize(
    "args",
    [
        ["sounds", "-o", f"{LONG}.csv"],
        ["sounds", "-o", f"{LONG}/a.csv"],
        ["sounds", "-f", "csv", "-o", LONG],
        ["sounds", "--errors", LONG],
        ["sounds/c.ogg", "--plot", f"{LONG}.png"],
        ["sounds", "--summary", f"{LONG}.json"],
        ["sounds", "--files-from", LONG],
        ["sounds", "-t", f"@{LONG}"],
        [f"{LONG}.wav"],
        ["events", f"{LONG}.csv"],
        ["convert", f"{LONG}.csv"],
        ["report", f"{LONG}.csv", "-o", "r.html"],
        ["report", "rows.csv", "-o", LONG],
        ["extract", f"{LONG}.csv", "-o", "clips"],
        ["extract", "rows.csv", "-o", LONG],
        ["merge", f"{LONG}.csv", "-o", "all.csv"],
        ["evaluate", LONG],
        ["evaluate", "labels.csv", "--scores", LONG],
        ["evaluate", "labels.csv", "--scores", "rows.csv", "-o", LONG],
        ["evaluate", "labels.csv", "--scores", "rows.csv", "--audio", LONG],
        ["models", "path", LONG],
        ["models", "info", f"{LONG}.pt"],
    ],
)
def test_a_name_that_is_too_long_is_one_sentence(cedtag, sounds, args):
    assert cedtag("sounds", "-o", "rows.csv", "-w", 1).code == 0
    Path("labels.csv").write_text("file,labels\nsounds/c.ogg,Speech\nsounds/a.wav,Conversation\n")
    done = cedtag(*args)
    assert done.code in (1, 2, 3)
    assert done.stderr.startswith("cedtag: ")


@pytest.mark.parametrize(("args", "code"), [(["-"], 3), (["convert", "-"], 1), (["events", "-"], 1)])
def test_without_a_folder_for_temporary_files_the_variable_is_named(cedtag, monkeypatch, args, code):
    def missing() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "gettempdir", missing)
        done = cedtag(*args)
    assert (done.code, "TMPDIR" in done.stderr) == (code, True)


def test_memory_that_is_not_there_is_one_sentence(cedtag, sounds, monkeypatch):
    def score(self: StubScorer, windows: object) -> None:
        raise MemoryError

    monkeypatch.setattr(StubScorer, "score", score)
    done = cedtag("sounds", "-f", "csv")
    assert (done.code, "not enough memory" in done.stderr) == (1, True)


def test_a_user_without_a_home_gets_a_sentence(cedtag, sounds, monkeypatch):
    def unknown(path: object) -> str:
        return str(path)  # as for a user whom the system does not know, without HOME

    monkeypatch.setattr(os.path, "expanduser", unknown)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "~/.cache/huggingface/hub")
    assert cedtag("models", "list").code == 0
    for args in (["models", "path", "~nobody99"], ["models", "info", "~nobody99"], ["models", "rm", "~nobody99"]):
        done = cedtag(*args)
        assert (done.code, done.stderr.startswith("cedtag: ~nobody99: no such file")) == (1, True)


def test_a_cache_that_is_a_file_or_of_another_user_is_a_sentence(cedtag, sounds, monkeypatch):
    Path("cache").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(Path("cache").absolute()))
    for args in (["models", "list"], ["models", "rm", "tiny", "-y"], ["models", "path", "tiny"]):
        done = cedtag(*args)
        assert (done.code, "cache" in done.stderr) == (1, True)
