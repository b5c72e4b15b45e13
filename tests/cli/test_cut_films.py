"""A film that was cut off, or that is encrypted, is met on the command line as on a disk."""

from __future__ import annotations

import pytest

from tests.archive import StubScorer, stub_tagger
from tests.audio.test_structures import written

pytest.importorskip("av")


@pytest.fixture
def load_tagger():
    return stub_tagger(StubScorer())


def test_a_cut_film_is_partial_with_a_sentence(cedtag, tmp_path):
    data = written("film.mkv")
    (tmp_path / "whole.mkv").write_bytes(data)
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    assert cedtag(str(tmp_path / "whole.mkv")).code == 0
    done = cedtag(str(tmp_path / "cut.mkv"))
    assert done.code == 3
    assert f"cut.mkv: is cut off: {len(data) // 2} of {len(data)} bytes are there" in done.stderr
    assert "1 recording partial" in done.stderr
    assert b"cut.mkv" in done.stdout


def test_an_encrypted_recording_fails_with_a_sentence(cedtag, tmp_path):
    (tmp_path / "bought.m4a").write_bytes(written("sound.m4a").replace(b"mp4a", b"drms", 1))
    done = cedtag(str(tmp_path / "bought.m4a"))
    assert done.code == 3
    assert "bought.m4a: is encrypted (DRM) and cannot be decoded" in done.stderr
