"""Files are opened once and identified once, and closed whatever happens."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cedtag.audio import Decoders, Decoding, RawFormat, audio_file, parse_raw_format
from cedtag.audio.audio_file import open_audio
from cedtag.audio.containers.identify import Container, identify
from cedtag.audio.open import open_regular
from cedtag.errors import AudioError
from tests.sounds import bursts, decoded, decoded_by, source_of, times_open, write, write_av

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_opened: list[str] | None = None


def _note_open(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(args[0], str):
        _opened.append(args[0])


sys.addaudithook(_note_open)


def opened_by(work: Callable[[], object]) -> list[str]:
    """The names of the files that this process opens meanwhile."""
    global _opened
    _opened = []
    work()
    opened, _opened = _opened, None
    return opened


def calls_of(function: Callable[..., object], work: Callable[[], object]) -> int:
    """How often this thread calls a function meanwhile."""
    code, calls = function.__code__, 0  # type: ignore[attr-defined]

    def count(frame: Any, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code is code

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.fixture(params=["a.wav", "a.mp3", "a.m4a"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    if path.suffix != ".m4a":
        return write(path, bursts(1, 16_000), 16_000)
    pytest.importorskip("av")
    write_av(path, bursts(1, 48_000), 48_000, "aac")
    return path


@pytest.mark.parametrize("isolate", [False, True])
def test_a_recording_is_opened_once_and_identified_once(path: Path, isolate: bool) -> None:
    with Decoders(Decoding(isolate=isolate)) as decoders:
        decoded_by(decoders, path)
        assert opened_by(lambda: decoded_by(decoders, path)).count(str(path)) == 1
        assert calls_of(open_regular, lambda: decoded_by(decoders, path)) == 1
        assert calls_of(identify, lambda: decoded_by(decoders, path)) == 1


def test_headerless_audio_is_opened_once_and_not_identified(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", bursts(1, 16_000), 16_000)
    raw = Decoding(parse_raw_format("s16le,16000,1"))
    assert opened_by(lambda: decoded(path, raw)).count(str(path)) == 1
    assert calls_of(identify, lambda: decoded(path, raw)) == 0


def test_an_open_file_comes_with_its_format_and_its_size_and_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", bursts(1, 16_000), 16_000)
    status = path.stat()
    for raw in (None, RawFormat("s16le", 8_000, 1)):
        file = open_audio(source_of(path), raw)
        assert file.format == (raw or Container("flac"))
        assert file.size_and_mtime == (status.st_size, status.st_mtime_ns)
        assert os.pread(file.fd, 4, 0) == b"fLaC"
        assert os.lseek(file.fd, 0, os.SEEK_CUR) == 0
        file.close()


def test_a_file_that_is_replaced_after_it_was_opened_is_decoded_from_the_open_one(path: Path) -> None:
    expected, *_ = decoded(path)
    with Decoders() as decoders, decoders.open(source_of(path)) as recording:
        path.unlink()
        write(path.with_suffix(".wav"), bursts(2, 8_000), 8_000).rename(path)
        np.testing.assert_array_equal(np.concatenate(list(recording.blocks())), expected)
        assert recording.problems == []


@pytest.mark.skipif(sys.platform != "linux", reason="lists open files in /proc")
@pytest.mark.parametrize("start", [b"RIFF0000WAVE", b"words", b"fLaC"])
def test_a_file_that_cannot_be_decoded_does_not_stay_open(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(start)
    with pytest.raises(AudioError):
        decoded(path)
    assert times_open(path) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="lists open files in /proc")
def test_a_file_whose_decoder_is_not_installed_does_not_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tta"
    path.write_bytes(b"TTA1")
    monkeypatch.setattr(audio_file, "_has_pyav", lambda: False)
    with pytest.raises(AudioError, match=r"a\.tta: tta is decoded by PyAV.* -m pip install '?av"):
        open_audio(source_of(path))
    assert times_open(path) == 0
