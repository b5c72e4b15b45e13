"""Encoded audio from standard input goes through a temporary file that is gone afterwards."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest

from cedtag.audio import spooled
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
        assert Path(copy).parent == spool_folder
        assert (decoded(copy)[0] == decoded(path)[0]).all()
    assert list(spool_folder.iterdir()) == []


def test_endless_input_is_refused_and_leaves_nothing(spool_folder: Path) -> None:
    with (
        Path("/dev/zero").open("rb") as endless,
        pytest.raises(AudioError, match="is longer than"),
        spooled(endless, 1 << 22),
    ):
        pytest.fail("was copied")
    assert list(spool_folder.iterdir()) == []
