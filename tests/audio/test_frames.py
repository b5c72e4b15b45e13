"""Frames as they are stored come from the decoders that recordings come from, and PyAV's from a child process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from cedtag.audio.audio_file import open_audio
from cedtag.audio.frames import SubprocessFrames, opened_frames
from cedtag.audio.in_process import decoder_of
from cedtag.errors import AudioError
from tests.sounds import bursts, source_of, times_open, write, write_av

pytest.importorskip("av")


@pytest.fixture
def m4a(tmp_path: Path) -> Path:
    write_av(tmp_path / "a.m4a", bursts(3, 44_100, 2), 44_100, "aac")
    return tmp_path / "a.m4a"


def child_of(decoder: object) -> int:
    assert isinstance(decoder, SubprocessFrames)
    return decoder._process._process.pid


def test_frames_of_a_child_are_those_of_this_process(m4a: Path) -> None:
    file = open_audio(source_of(m4a))
    here = decoder_of(file)
    expected = np.concatenate([piece.copy() for piece in here.frames()])
    here.close()
    file.close()
    with opened_frames(source_of(m4a)) as decoder:
        assert (decoder.rate_hz, decoder.channels) == (44_100, 2)
        assert child_of(decoder) != os.getpid()
        np.testing.assert_array_equal(np.concatenate(list(decoder.frames())), expected)
    assert times_open(m4a) == 0


def test_a_decoder_that_hangs_is_killed_in_time(m4a: Path) -> None:
    with opened_frames(source_of(m4a)) as decoder:
        assert isinstance(decoder, SubprocessFrames)
        os.kill(child_of(decoder), signal.SIGSTOP)
        decoder._timeout_s = 0.3
        with pytest.raises(AudioError, match="no samples from the decoder") as caught:
            list(decoder.frames())
    assert caught.value.stage == "timeout"
    assert not Path(f"/proc/{child_of(decoder)}").exists()


def test_a_decoder_that_crashes_costs_its_recording(m4a: Path) -> None:
    with opened_frames(source_of(m4a)) as decoder:
        for number in (signal.SIGSTOP, signal.SIGSEGV, signal.SIGCONT):
            os.kill(child_of(decoder), number)
        with pytest.raises(AudioError, match=r"crashed \(SIGSEGV\)"):
            list(decoder.frames())


def test_damage_is_said_after_the_frames_before_it(tmp_path: Path, m4a: Path) -> None:
    path = tmp_path / "none.m4a"
    path.write_bytes(m4a.read_bytes()[:40])
    with pytest.raises(AudioError, match=r"none\.m4a"), opened_frames(source_of(path)):
        pytest.fail("was opened")


def test_what_libsndfile_reads_is_read_in_this_process(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", bursts(1, 16_000), 16_000)
    with opened_frames(source_of(path)) as decoder:
        assert not isinstance(decoder, SubprocessFrames)
        assert sum(len(piece) for piece in decoder.frames()) == 16_000
    assert times_open(path) == 0
