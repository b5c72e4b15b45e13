"""What a terminal of so many columns shows."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from cedtag.cli.demo import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

ROOT = FOLDER.parent.parent

# Each command runs in a process of its own, at a terminal.
pytestmark = pytest.mark.slow


def screen(folder: Path, columns: int, *args: str, colour: bool = False) -> tuple[int, list[str]]:
    """The exit code, and the lines that a command writes to a terminal."""
    lead, follow = pty.openpty()
    fcntl.ioctl(follow, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {name: text for name, text in os.environ.items() if not name.startswith(("CEDTAG_", "COLUMNS", "NO_COLOR"))}
    command = [sys.executable, "-m", "cedtag", *args]
    env |= {"TERM": "xterm" if colour else "dumb", "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, stdin=follow, stdout=follow, stderr=follow, cwd=folder, env=env)
    os.close(follow)
    text = b""
    while True:
        try:
            block = os.read(lead, 1 << 16)
        except OSError:  # Linux reports the end of a terminal as an error
            break
        if not block:
            break
        text += block
    os.close(lead)
    return running.wait(), text.decode(errors="replace").replace("\r\n", "\n").splitlines()


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "20260323_053000.ogg").write_bytes((FOLDER / "sample.ogg").read_bytes())
    return tmp_path


TAG = ("20260323_053000.ogg", "-m", "demo", "--no-progress")


def test_a_table_of_80_columns_breaks_lines_between_tags(folder):
    code, lines = screen(folder, 80, *TAG, "-t", "0.01")
    assert code == 0
    assert lines[0] == "20260323_053000.ogg"
    assert lines[1].startswith("  0:00:00.0 - 0:00:10.0  0.96 Speech  ")
    assert lines[2].startswith(" " * 25 + "0.0")
    assert max(map(len, lines)) <= 80
    joined = " ".join(" ".join(lines).split())
    wide = " ".join(" ".join(screen(folder, 200, *TAG, "-t", "0.01")[1]).split())
    assert joined == wide
    assert len(screen(folder, 200, *TAG, "-t", "0.01")[1]) == 4


def test_a_very_narrow_table_has_its_tags_below_the_times(folder):
    _, lines = screen(folder, 40, *TAG)
    assert lines == [
        "20260323_053000.ogg",
        "  0:00:00.0 - 0:00:10.0  ",
        "    0.96 Speech",
        "  0:00:10.0 - 0:00:20.0  ",
        "    0.94 Siren",
        "  0:00:20.0 - 0:00:30.0  ",
        "    0.96 Mains hum",
    ]


def test_names_of_classes_are_as_bright_as_text(folder):
    _, lines = screen(folder, 80, *TAG, "-k", "1", "-t", "0.9", colour=True)
    assert lines[1] == "\x1b[2m  0:00:00.0 - 0:00:10.0  \x1b[0m\x1b[1;32m0.96\x1b[0m Speech"


def test_the_table_shows_the_time_on_the_clock(folder):
    _, lines = screen(folder, 80, *TAG, "--start-time", "auto")
    assert lines[1:3] == [
        "  0:00:00.0 - 0:00:10.0  2026-03-23 05:30:00  0.96 Speech",
        "  0:00:10.0 - 0:00:20.0  2026-03-23 05:30:10  0.94 Siren",
    ]


@pytest.mark.parametrize("name", ["parquet", "sqlite", "png", "pdf"])
def test_binary_formats_do_not_go_to_a_terminal(folder, name):
    assert screen(folder, 200, *TAG, "-f", name) == (
        2,
        [f"cedtag: {name} is nothing to read on a terminal; name a file (-o FILE.{name}), or use a pipe"],
    )


def test_binary_formats_go_to_a_terminal_that_is_named(folder):
    code, lines = screen(folder, 200, *TAG, "-f", "sqlite", "-o", "-", "-q")
    assert code == 0
    assert lines[0].startswith("SQLite format 3")


def test_results_are_not_converted_to_binary_on_a_terminal(folder):
    assert screen(folder, 200, *TAG, "-o", "rows.jsonl", "-q")[0] == 0
    assert screen(folder, 200, "convert", "rows.jsonl", "-f", "parquet")[0] == 2


def test_a_layout_that_the_table_does_not_have_is_refused(folder):
    code, lines = screen(folder, 200, *TAG, "--layout", "wide")
    assert code == 2
    assert lines == ["cedtag: --layout wide is for csv, tsv and spreadsheet; add --format csv, or leave it out"]
    assert screen(folder, 200, *TAG, "--layout", "wide", "-f", "tsv", "--labels", "Siren")[0] == 0
