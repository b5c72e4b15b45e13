"""Names are bytes: under every locale they are read, written and found again as they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.archive import write_recording

ROOT = Path(__file__).parent.parent.parent
NAMES = [
    b"plain.wav",
    "caf\u00e9.wav".encode(),
    b"caf\xe9.wav",
    "\u3042.wav".encode(),
    b"\xa4\xa2.wav",
    b"\x8f\xff\\~.wav",
]
COMMAND = [sys.executable, "-m", "tests.archive"]

pytestmark = pytest.mark.skipif(shutil.which("localedef") is None, reason="makes locales with localedef")


@pytest.fixture(scope="module")
def locales(tmp_path_factory) -> Path:
    """A folder with locales in three encodings."""
    folder = tmp_path_factory.mktemp("locales")
    for name, source, encoding in (
        ("latin", "en_US", "ISO-8859-1"),
        ("eucjp", "ja_JP", "EUC-JP"),
        ("unicode", "en_US", "UTF-8"),
    ):
        made = subprocess.run(["localedef", "-i", source, "-f", encoding, folder / name], capture_output=True)
        if not (folder / name).is_dir():
            pytest.skip(f"no locale in {encoding}: {made.stderr.decode()[:200]}")
    return folder


@pytest.fixture
def recordings(tmp_path, monkeypatch) -> list[bytes]:
    monkeypatch.chdir(tmp_path)
    Path("tree").mkdir()
    for name in NAMES:
        write_recording(Path("tree", os.fsdecode(name)), np.random.default_rng(0))
    return sorted(b"tree/" + name for name in NAMES)


def run(locales: Path, name: str, *args: bytes | str, code: int = 0) -> bytes:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUTF8" and not key.startswith("LC_")}
    environment |= {"LOCPATH": str(locales), "LC_ALL": name, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*COMMAND, *args], capture_output=True, env=environment)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "encoding"), [("latin", "iso8859-1"), ("eucjp", "euc_jp")])
def test_the_locales_are_there(locales, name, encoding):
    environment = {**os.environ, "LOCPATH": str(locales), "LC_ALL": name}
    program = "import sys; print(sys.getfilesystemencoding())"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, check=True)
    assert shown.stdout.decode().strip() == encoding


@pytest.mark.slow
@pytest.mark.parametrize("name", ["latin", "eucjp"])
def test_names_are_the_same_bytes_under_every_locale(locales, recordings, name):
    for format_name in ("csv", "jsonl", "table"):
        expected = run(locales, "unicode", "tree", "-q", "-f", format_name)
        assert run(locales, name, "tree", "-q", "-f", format_name) == expected
    table = run(locales, name, *recordings, "-q", "-f", "csv", "-k", "1").splitlines()[1:]
    assert sorted({line.split(b",")[0] for line in table}) == recordings


@pytest.mark.slow
@pytest.mark.parametrize("name", ["latin", "eucjp"])
def test_a_run_under_another_locale_finds_what_is_done(locales, recordings, name):
    for output in ("all.jsonl", "\u00e9t\u00e9.csv", "out/"):
        command = ["tree", "-q", "-o", output.encode()]
        run(locales, name, *command)
        place = Path(output) / ".cedtag.journal" if output == "out/" else Path(f"{output}.journal")
        before = place.read_bytes()
        run(locales, "unicode", *command)
        assert place.read_bytes() == before
    ends = [json.loads(line)["end"]["file"] for line in before.splitlines() if line.startswith(b'{"end"')]
    assert sorted(map(os.fsencode, ends)) == recordings
