"""Descriptor 1 belongs to data alone, whatever libraries print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archive import make_archive

ROOT = Path(__file__).parent.parent.parent
# A scorer beside a decoder in C that prints, and flushes or not.
PROGRAM = """
import ctypes, os
from tests.archive import StubScorer, main, stub_tagger

class Printing(StubScorer):
    def score(self, windows):
        libc = ctypes.CDLL(None)
        libc.puts(b"noise of a library")
        libc.fflush(None)
        os.write(1, b"more noise")
        return super().score(windows)

main(stub_tagger(Printing() if NOISY else StubScorer()))
"""


def cedtag(line: str, *, noisy: bool, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of the shell in which `cedtag` is the program."""
    Path("program.py").write_text(PROGRAM.replace("NOISY", str(noisy)))
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    command = line.replace("cedtag", f"{sys.executable} program.py")
    return subprocess.run(["bash", "-c", command], capture_output=True, env=environment)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_archive(tmp_path / "tree", 3)


@pytest.mark.parametrize(
    "line",
    [
        "cedtag -q tree -f csv",
        "cedtag -q tree -f csv -o /dev/stdout | cat",
        "cedtag -q tree -f csv --output=/dev/stdout | cat",
        "cedtag -q tree -f csv -o/dev/fd/1 | cat",
        "CEDTAG_OUTPUT=/dev/stdout cedtag -q tree -f csv | cat",
        "cedtag -q tree -f csv > rows.csv; cat rows.csv",
        "cedtag -q tree -o rows.csv; cat rows.csv",
    ],
)
def test_what_libraries_print_gets_into_no_data(tree, line):
    expected = cedtag("cedtag -q tree -f csv", noisy=False)
    done = cedtag(line, noisy=True)
    assert done.stdout == expected.stdout
    assert expected.stdout.startswith(b"file,start,end,")
    assert done.stderr == expected.stderr


def test_the_encoding_stays_what_it_is():
    program = (
        "import sys; from cedtag.cli.shared.process import keep_stdout_for_data; keep_stdout_for_data([]); "
        "print(sys.stdout.encoding, '\\udcff\\xe9')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "latin-1:surrogateescape"},
    )
    assert done.stdout == b"iso8859-1 \xff\xe9\n"
