"""`cedtag report`, and where it and `cedtag extract` look for recordings."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rows(cedtag, sounds, tmp_path, monkeypatch) -> Path:
    """Results of the recordings in `sounds`, and another folder to stand in."""
    assert cedtag("sounds", "-q", "-o", "rows.jsonl", "--min-conf", 0).code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "rows.jsonl"


def test_a_page_made_in_another_folder_asks_for_the_root(cedtag, rows, tmp_path):
    made = cedtag("report", rows, "-o", "page.html")
    assert made.code == 0
    assert "no recording is where RESULTS say" in made.stderr
    assert "--root" in made.stderr
    rooted = cedtag("report", rows, "-o", "rooted.html", "--root", tmp_path)
    assert rooted.code == 0
    there = cedtag("report", rows, "-o", tmp_path / "there.html", "--root", "..")
    assert "--root" not in rooted.stderr + there.stderr


def test_a_page_is_made_of_standard_input(cedtag, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows.read_bytes())))
    assert cedtag("report", "-", "-o", "page.html", "--root", tmp_path).code == 0
    assert cedtag("report", rows, "-o", "same.html", "--root", tmp_path, "--title", "standard input").code == 0
    pages = [(tmp_path / "elsewhere" / name).read_text() for name in ("page.html", "same.html")]
    assert pages[0] == pages[1]


def test_clips_cut_from_another_folder_ask_for_the_root(cedtag, rows, tmp_path, monkeypatch):
    failed = cedtag("extract", rows, "-o", "clips")
    assert failed.code == 3
    assert "cedtag: the paths in RESULTS begin in another folder? name it with --root\n" in failed.stderr
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows.read_bytes())))
    cut = cedtag("extract", "-", "-o", "cut", "--root", tmp_path, "--max-per-class", 1)
    assert cut.code == 0
    assert "--root" not in cut.stderr
