"""What containers promise is compared with what is there, without a false alarm and without trusting the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cedtag.audio.containers.audit import audit
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.containers.identify import Container, identify
from cedtag.audio.containers.mpeg import frame_header, info_frame
from cedtag.audio.containers.mpeg_walk import walk_frames
from cedtag.audio.repaired import repaired
from cedtag.audio.sndfile import SoundFileDecoder
from tests.sounds import bursts, decoded, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cedtag.audio.containers.findings import Findings

KINDS = ["wav", "rf64", "w64", "aiff", "caf", "au", "mp3"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("good")
    return {kind: write(folder / f"good.{kind}", bursts(2, 22_050, 2), 22_050) for kind in KINDS}


def audited(path: Path, decoded: int = 44_100) -> Findings:
    with path.open("rb") as stream:
        file = FileBytes(stream.fileno())
        container = identify(file)
        assert container is not None
        return audit(file, container, decoded)


def changed(path: Path, change: Callable[[bytes], bytes]) -> Path:
    other = path.with_name(f"changed{path.suffix}")
    other.write_bytes(change(path.read_bytes()))
    return other


@pytest.mark.parametrize("kind", KINDS)
def test_undamaged_files_are_found_complete(good: dict[str, Path], kind: str) -> None:
    findings = audited(good[kind])
    assert (findings.problems, findings.warnings) == ((), ())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.25, 0.9])
def test_truncation_is_a_problem(good: dict[str, Path], kind: str, share: float) -> None:
    assert audited(changed(good[kind], lambda data: data[: int(share * len(data))])).problems


@pytest.mark.parametrize("kind", ["wav", "w64", "aiff", "mp3"])
def test_a_little_junk_after_the_end_is_no_problem(good: dict[str, Path], kind: str) -> None:
    assert audited(changed(good[kind], lambda data: data + b"\x01junk" * 9)).problems == ()


@pytest.mark.parametrize("kind", ["wav", "aiff", "mp3"])
def test_zeros_after_the_end_are_not_even_a_warning(good: dict[str, Path], kind: str) -> None:
    findings = audited(changed(good[kind], lambda data: data + bytes(5_000)))
    assert (findings.problems, findings.warnings) == ((), ())


def test_tags_around_an_mp3_are_no_junk(good: dict[str, Path]) -> None:
    id3 = b"ID3\x04\0\0" + bytes([0, 0, 1, 0]) + bytes(128)
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)
    lyrics = b"LYRICSBEGIN" + b"x" * 50 + b"000050LYRICS200"
    tag = b"TAG".ljust(128, b"x")
    findings = audited(changed(good["mp3"], lambda data: id3 + data + ape + bytes(32) + lyrics + tag))
    assert (findings.problems, findings.warnings) == ((), ())


def untagged(path: Path) -> Path:
    """Return a copy of an MP3 without the frame that states its length."""

    def without_first_frame(data: bytes) -> bytes:
        header = frame_header(int.from_bytes(data[:4], "big"))
        assert header is not None
        return data[header.num_bytes :]

    return changed(path, without_first_frame)


def variable_mp3(folder: Path) -> Path:
    """Return an MP3 whose first second takes many bits, and its other nineteen few."""
    samples = np.zeros((20 * 22_050, 1), np.float32)
    samples[:22_050, 0] = np.random.default_rng(0).uniform(-0.5, 0.5, 22_050)
    return write(folder / "vbr.mp3", samples, 22_050, bitrate_mode="VARIABLE", compression_level=0.6)


def test_an_mp3_that_varies_its_bit_rate_is_read_to_its_end_without_a_tag(tmp_path: Path) -> None:
    path = untagged(variable_mp3(tmp_path))
    assert soundfile.info(path).frames < 10 * 22_050, "libsndfile guesses its length from the first frame"
    samples, problems, warnings = decoded(path)
    assert len(samples) == pytest.approx(20 * 16_000, abs=2_000)
    assert (problems, warnings) == ([], [])


def test_joined_mp3_files_are_read_to_the_end(good: dict[str, Path]) -> None:
    samples, problems, _ = decoded(changed(good["mp3"], lambda data: data * 3))
    assert len(samples) == pytest.approx(6 * 16_000, abs=6_000)
    assert problems == []


def test_a_made_tag_promises_what_it_was_given(good: dict[str, Path]) -> None:
    path = untagged(good["mp3"])
    with path.open("rb") as stream:
        walk = walk_frames(FileBytes(stream.fileno()), 0)
    assert walk is not None
    assert walk.promised_frames is None
    tagged = changed(path, lambda data: info_frame(walk.header, 1234) + data)
    with tagged.open("rb") as stream:
        again = walk_frames(FileBytes(stream.fileno()), 0)
    assert again is not None
    assert (again.promised_frames, again.num_frames) == (1234, walk.num_frames)


def test_a_wav_that_its_recorder_never_closed_is_read_and_reported(good: dict[str, Path]) -> None:
    whole, _, _ = decoded(good["wav"])
    at = good["wav"].read_bytes().index(b"data") + 4
    samples, problems, _ = decoded(changed(good["wav"], lambda data: data[:at] + bytes(4) + data[at + 4 :]))
    np.testing.assert_array_equal(samples, whole)
    assert len(problems) == 1
    assert "promises 0 bytes of audio where 176400 follow" in problems[0]


def test_a_wav_beyond_4_gib_is_read_though_its_size_wrapped_around(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.full((1_000, 1), 0.5, np.float32), 16_000)
    with path.open("r+b") as stream:
        stream.truncate((1 << 32) + 2_044)  # sparse; the size in the header is right modulo 2^32
        stream.seek(-4, os.SEEK_END)
        stream.write(b"\0\x40" * 2)
    with path.open("rb") as opened:
        whole = repaired(FileBytes(opened.fileno()), Container("wav"))
        assert whole is not None
        assert SoundFileDecoder(whole, "a.wav").declared_frames == (1 << 31) + 1_000
    assert "promises 2000 bytes of audio where 4294969296 follow" in audited(path).problems[0]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), num_bytes=st.integers(1, 200), cut=st.floats(0, 1))
def test_no_damage_confuses_the_audit(good: dict[str, Path], kind: str, seed: int, num_bytes: int, cut: float) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(good[kind].read_bytes())
    for at in np.concatenate([rng.integers(0, len(data), num_bytes), rng.integers(0, 64, 2)]):
        data[at] = rng.integers(256)
    damaged = good[kind].with_name(f"damaged.{kind}")
    damaged.write_bytes(data[: max(1, int(cut * len(data)))])
    with damaged.open("rb") as stream:
        file = FileBytes(stream.fileno())
        if (container := identify(file)) is not None:
            audit(file, container, 44_100)
