"""Encoded audio from standard input goes through a temporary file that is gone afterwards."""

from __future__ import annotations

import errno
import io
import sys
import tempfile
from pathlib import Path

import pytest

from cedtag.audio import Decoding, spooled
from cedtag.errors import AudioError
from tests.sounds import bursts, decoded, write


@pytest.fixture(autouse=True)
def spool_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_was_piped_in_is_decoded(tmp_path: Path, spool_folder: Path) -> None:
    path = write(tmp_path / "a.flac", bursts(1, 16_000), 16_000)
    with spooled(io.BytesIO(path.read_bytes())) as copy:
        for _ in range(2):  # as `--plot` and `--refine` do
            assert (decoded(copy)[0] == decoded(path)[0]).all()
        assert (decoded(copy, Decoding(isolate=True))[0] == decoded(path)[0]).all()
    assert list(spool_folder.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="a file without a name cannot be opened twice there")
def test_a_process_that_is_killed_leaves_nothing(spool_folder: Path) -> None:
    with spooled(io.BytesIO(b"something")) as copy:
        assert list(spool_folder.iterdir()) == []
        assert Path(copy).read_bytes() == b"something"


def test_without_a_temporary_folder_the_sentence_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "gettempdir", fail)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", fail)
    with pytest.raises(AudioError, match="set TMPDIR"), spooled(io.BytesIO(b"something")):
        pytest.fail("was copied")


def test_endless_input_is_refused_and_leaves_nothing(spool_folder: Path) -> None:
    with (
        Path("/dev/zero").open("rb") as endless,
        pytest.raises(AudioError, match="is longer than"),
        spooled(endless, 1 << 22),
    ):
        pytest.fail("was copied")
    assert list(spool_folder.iterdir()) == []
