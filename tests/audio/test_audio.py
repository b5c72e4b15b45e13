"""Recordings come out as 16 kHz mono, complete and the same however they are read."""

from __future__ import annotations

import errno
import io
import os
import socket
import stat
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from cedtag.audio import Decoding, open_recording, parse_raw_format, read_raw, sndfile
from cedtag.audio import raw as raw_pcm
from cedtag.audio.mono import MonoStream, downmix
from cedtag.errors import AudioError, InputError
from tests.sounds import bursts, decoded, source_of, write

if TYPE_CHECKING:
    from pathlib import Path

CODECS: dict[str, dict[str, object]] = {
    "pcm16.wav": {},
    "float.wav": {"subtype": "FLOAT"},
    "alaw.wav": {"subtype": "ALAW"},
    "ima.wav": {"subtype": "IMA_ADPCM"},
    "plain.flac": {},
    "vorbis.ogg": {},
    "cbr.mp3": {"bitrate_mode": "CONSTANT", "compression_level": 0.5},
    "abr.mp3": {"bitrate_mode": "AVERAGE", "compression_level": 0.5},
    "vbr.mp3": {"bitrate_mode": "VARIABLE", "compression_level": 0.6},
    "plain.aiff": {},
    "plain.caf": {},
    "alac.caf": {"subtype": "ALAC_16"},
    "plain.w64": {},
    "plain.rf64": {},
    "plain.au": {},
}


@pytest.fixture(scope="module")
def codecs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codecs")
    for name, options in CODECS.items():
        write(folder / name, bursts(8, 22_050, channels=2), 22_050, **options)
    return folder


@pytest.mark.parametrize("name", CODECS)
def test_blocks_of_any_size_equal_the_file_read_whole(codecs: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, rate_hz = soundfile.read(codecs / name, dtype="float32", always_2d=True)
    whole = soxr.resample(downmix(frames), rate_hz, 16_000)
    usual, problems, warnings = decoded(codecs / name)
    assert (problems, warnings) == ([], [])
    # Not bit for bit: reading whole seeks to the beginning first, after which the MP3 decoder rounds differently.
    np.testing.assert_allclose(usual, whole, atol=1e-6)

    for frames_per_read in (1_000, 65_536):
        monkeypatch.setattr(sndfile, "FRAMES_PER_READ", frames_per_read)
        np.testing.assert_array_equal(decoded(codecs / name)[0], usual)


def test_mono_at_16_khz_is_passed_through_unchanged(tmp_path: Path) -> None:
    samples = bursts(1.5, 16_000)
    samples_read, _, _ = decoded(write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT"))
    np.testing.assert_array_equal(samples_read, samples[:, 0])


def test_blocks_are_not_overwritten_by_later_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", bursts(4, 16_000), 16_000)
    with open_recording(source_of(path)) as recording:
        copies, blocks = zip(*((block.copy(), block) for block in recording.blocks()), strict=True)
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(copies), np.concatenate(blocks))


@given(st.integers(1, 8))
def test_downmix_is_the_mean_of_the_channels(channels: int) -> None:
    frames = np.random.default_rng(channels).uniform(-1, 1, (50, channels)).astype(np.float32)
    np.testing.assert_allclose(downmix(frames), frames.mean(axis=1), atol=1e-6)


@given(st.lists(st.integers(0, 900), min_size=1, max_size=8), st.sampled_from([8_000, 16_000, 44_100]))
def test_resampling_does_not_depend_on_how_frames_are_cut(sizes: list[int], rate_hz: int) -> None:
    frames = bursts(sum(sizes) / rate_hz, rate_hz, channels=2)[: sum(sizes)]

    def stream(pieces: list[np.ndarray]) -> np.ndarray:
        mono = MonoStream(rate_hz)
        return np.concatenate([*(mono.push(piece) for piece in pieces), mono.flush()])

    np.testing.assert_array_equal(stream(np.split(frames, np.cumsum(sizes)[:-1])), stream([frames]))


def test_samples_that_are_no_numbers_become_zero_and_are_counted(tmp_path: Path) -> None:
    frames = bursts(1, 16_000).astype(np.float64)
    frames[100:103], frames[500], frames[501] = np.nan, np.inf, 1e300
    samples, problems, _ = decoded(write(tmp_path / "a.wav", frames, 16_000, subtype="DOUBLE"))
    assert problems == ["samples that are not finite or out of any range, read as 0: 5"]
    assert not samples[[100, 101, 102, 500, 501]].any()
    assert np.isfinite(samples).all()


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("value", [1e19, -1e19, 3e38, 1e11])
def test_finite_samples_that_are_no_audio_become_zero_and_are_counted(
    tmp_path: Path, rate_hz: int, channels: int, value: float
) -> None:
    good = bursts(1, rate_hz, channels)
    bad = good.copy()
    bad[4321, 0], bad[5000] = value, 0
    good[4321], good[5000] = 0, 0
    expected, _, _ = decoded(write(tmp_path / "good.wav", good, rate_hz, subtype="FLOAT"))
    samples, problems, warnings = decoded(write(tmp_path / "bad.wav", bad, rate_hz, subtype="FLOAT"))
    assert problems == ["samples that are not finite or out of any range, read as 0: 1"]
    assert warnings == []
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("scale", [7000.0, 2.0**31])
def test_float_audio_in_integer_scale_is_a_warning(tmp_path: Path, scale: float) -> None:
    path = write(tmp_path / "a.wav", bursts(1, 16_000) * np.float32(scale), 16_000, subtype="FLOAT")
    _, problems, warnings = decoded(path)
    assert (problems, len(warnings)) == ([], 1)
    assert "is it float audio in integer scale?" in warnings[0]


def test_floats_a_little_beyond_full_scale_are_usual(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", bursts(1, 16_000) * np.float32(8), 16_000, subtype="FLOAT")
    assert decoded(path)[1:] == ([], [])


def test_channels_that_cancel_out_are_a_warning(tmp_path: Path) -> None:
    left = bursts(1, 16_000)
    _, problems, warnings = decoded(write(tmp_path / "a.wav", np.hstack([left, -left]), 16_000))
    assert (problems, len(warnings)) == ([], 1)
    assert "cancel out" in warnings[0]


def mixture(channels: int, common: float) -> np.ndarray:
    """Noise `(n, channels)`, correlated by the square of `common`; if negative, half of the channels are inverted."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((32_000, 1)) * np.repeat([1, np.sign(common)], channels // 2)
    own = rng.standard_normal((32_000, channels))
    return (0.1 * (abs(common) * shared + np.sqrt(1 - common**2) * own)).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 0.3])
@pytest.mark.parametrize(
    ("channels", "common", "warns"),
    [(2, -0.95, True), (4, -0.95, True), (2, -0.7, False), (2, 0.0, False), (8, 0.0, False), (2, 0.9, False)],
)
def test_channels_that_largely_cancel_out_are_a_warning(
    tmp_path: Path, channels: int, common: float, warns: bool, offset: float
) -> None:
    frames = mixture(channels, common) + np.float32(offset)
    _, problems, warnings = decoded(write(tmp_path / "a.wav", frames, 16_000, subtype="FLOAT"))
    assert problems == []
    assert [("largely cancel out" in text) for text in warnings] == [True] * warns


def test_silence_is_no_cancellation(tmp_path: Path) -> None:
    _, problems, warnings = decoded(write(tmp_path / "a.wav", np.zeros((16_000, 2), np.float32), 16_000))
    assert (problems, warnings) == ([], [])


@pytest.mark.parametrize(("rate_hz", "channels"), [(999, 1), (768_001, 1), (16_000, 65)])
def test_rates_and_channels_that_no_recording_has_are_refused(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = write(tmp_path / "a.wav", np.zeros((10, channels), np.float32), rate_hz)
    with pytest.raises(AudioError, match=f"{rate_hz} Hz|{channels} channels"):
        decoded(path)


@pytest.mark.parametrize("rate_hz", [1_000, 22_254, 44_101, 768_000])
def test_odd_rates_keep_the_duration(tmp_path: Path, rate_hz: int) -> None:
    samples, _, _ = decoded(write(tmp_path / "a.wav", bursts(0.5, rate_hz), rate_hz))
    assert len(samples) == pytest.approx(8_000, abs=1)


def test_what_is_no_regular_file_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "dangling.wav").symlink_to(tmp_path / "nowhere")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s.wav"))
    listener.close()
    expected = {
        "fifo.wav": "is a named pipe (FIFO), not an audio file",
        "folder.wav": "is a folder, not an audio file",
        "s.wav": "is a socket, not an audio file",
        "dangling.wav": "no such file (or a link that leads nowhere)",
        "zero\0byte.wav": "cannot be opened (its name holds a zero byte)",
        f"{'long' * 64}.wav": "cannot be opened (File name too long)",
    }
    said = {}
    for name in expected:
        with pytest.raises(AudioError) as caught:
            open_recording(source_of(f"{tmp_path}/{name}"))
        assert caught.value.stage == "open"
        said[name] = str(caught.value).removeprefix(f"{tmp_path}/{name}: ")
    assert said == expected
    with pytest.raises(AudioError, match="is a device"):
        open_recording(source_of("/dev/null"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_named_as_that(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", bursts(0.1, 16_000), 16_000)
    path.chmod(stat.S_IWUSR)
    with pytest.raises(AudioError, match="no permission to read it"):
        open_recording(source_of(path))


def test_names_may_hold_any_byte(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n\t'\" \xf0\x9f\x90\xb6.wav")
    write(tmp_path / "a.wav", bursts(0.1, 16_000), 16_000).rename(name)
    assert len(decoded(name)[0]) == 1_600


def test_a_recording_that_changes_while_it_is_read_is_a_problem(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", bursts(4, 16_000), 16_000)
    with open_recording(source_of(path)) as recording:
        blocks = recording.blocks()
        next(blocks)
        with path.open("ab") as file:
            file.write(b"more")
        list(blocks)
    assert recording.problems == ["the file changed while it was read"]


def test_a_recording_that_is_closed_while_it_is_read_raises(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", bursts(4, 16_000), 16_000)
    recording = open_recording(source_of(path))
    blocks = recording.blocks()
    next(blocks)
    recording.close()
    with pytest.raises(AudioError, match="closed while") as caught:
        next(blocks)
    assert caught.value.stage == "timeout"
    recording.close()


STORED = {"s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT", "f64": "DOUBLE"}


@pytest.mark.parametrize(
    ("encoding", "subtype", "endian"),
    [
        ("s8", "PCM_S8", "FILE"),
        ("u8", "PCM_U8", "FILE"),
        *(
            (f"s{bits}{end}", f"PCM_{bits}", name)
            for bits in (16, 24, 32)
            for end, name in (("le", "LITTLE"), ("be", "BIG"))
        ),
        *((f"f32{end}", "FLOAT", name) for end, name in (("le", "LITTLE"), ("be", "BIG"))),
        *((f"f64{end}", "DOUBLE", name) for end, name in (("le", "LITTLE"), ("be", "BIG"))),
    ],
)
def test_raw_pcm_is_read_as_libsndfile_reads_it(tmp_path: Path, encoding: str, subtype: str, endian: str) -> None:
    path = tmp_path / "a.raw"
    layout = {"format": "RAW", "subtype": subtype, "endian": endian}
    soundfile.write(path, bursts(1, 16_000, 3), 16_000, **layout)
    frames, _ = soundfile.read(path, samplerate=16_000, channels=3, dtype="float32", **layout)
    raw = parse_raw_format(f"{encoding},16000,3")
    np.testing.assert_array_equal(raw_pcm.as_float32(path.read_bytes(), raw), frames)
    samples, problems, _ = decoded(path, Decoding(raw=raw))
    np.testing.assert_array_equal(samples, downmix(frames))
    assert problems == []


class Trickle(io.RawIOBase):
    """A stream that gives its pieces one by one, like a pipe."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def read(self, size: int = -1) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def test_raw_audio_comes_out_as_it_comes_in() -> None:
    pieces = [b"\0\x40\0", b"\x20", b"\0\xc0"]
    recording = read_raw("-", Trickle(pieces), parse_raw_format("s16le,16000,1"))
    blocks = recording.blocks()
    assert next(blocks).tolist() == [0.5]
    assert len(pieces) == 2
    assert [block.tolist() for block in blocks] == [[0.25], [-0.5]]
    assert recording.problems == []


def test_raw_audio_that_ends_inside_a_frame_is_a_problem() -> None:
    recording = read_raw("-", io.BytesIO(bytes(7)), parse_raw_format("s16le,16000,2"))
    assert sum(len(block) for block in recording.blocks()) == 1
    assert recording.problems == ["ends inside a frame (3 of 4 bytes)"]


@pytest.mark.parametrize("name", CODECS)
def test_a_container_that_is_read_as_raw_pcm_is_a_warning(codecs: Path, name: str) -> None:
    raw = parse_raw_format("s16le,16000,1")
    piped = read_raw("-", io.BytesIO((codecs / name).read_bytes()), raw)
    assert list(piped.blocks())
    for warnings in (decoded(codecs / name, Decoding(raw=raw))[2], piped.warnings):
        assert ["begins like a recording" in text for text in warnings] == [True]


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"ID3\4\0\0\0\0\x7f\x7f" + bytes(100), "a recording"),
        (b"\0\0\0\x20ftypM4A ", "mp4"),
        (b"OggS\0\2", "ogg"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\3\4", "a ZIP"),
        (b"<!DOCTYPE html>", "an HTML"),
        (b"version https://git-lfs.github.com", "a Git LFS"),
    ],
)
def test_what_is_no_sound_at_all_and_read_as_raw_pcm_is_a_warning(tmp_path: Path, head: bytes, what: str) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(head + bytes(20_000))
    _, _, warnings = decoded(path, Decoding(raw=parse_raw_format("s8,16000,1"), isolate=True))
    assert [what in text for text in warnings] == [True]


@given(st.integers(0, 10_000), st.sampled_from(["s8", "u8", "s16le", "s24be", "f32le"]))
def test_pcm_is_taken_for_pcm(seed: int, encoding: str) -> None:
    rng = np.random.default_rng(seed)
    data = rng.normal(0, rng.choice([1, 10, 60]), 20_000).astype(np.int8).tobytes()
    raw = raw_pcm.RawDecoder(io.BytesIO(data), parse_raw_format(f"{encoding},16000,1"))
    list(raw.frames())
    assert raw.warnings == ()


def test_no_raw_audio_at_all_is_an_error() -> None:
    with pytest.raises(AudioError, match="holds no audio"):
        list(read_raw("-", io.BytesIO(), parse_raw_format("u8,8000,1")).blocks())


@pytest.mark.parametrize(
    "text",
    ["", "s16le", "s16le,16000", "s16,16000,1", "s16le,16000,0", "s16le,-1,1", "s16le,1e4,1", "u8,999,1", "u8,8000,65"],
)
def test_raw_formats_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="raw format"):
        parse_raw_format(text)


def test_a_disk_that_fails_costs_its_recording_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.wav", bursts(1, 16_000), 16_000)

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with open_recording(source_of(path)) as recording:
        blocks = recording.blocks()
        next(blocks)
        monkeypatch.setattr(os, "pread", fail)
        list(blocks)
        assert recording.problems == ["whether it is complete could not be checked (Input/output error)"]
    with pytest.raises(AudioError, match="cannot be read"):
        open_recording(source_of(path))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000, 192_000])
@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "caf", "ogg"])
@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_the_shortest_recordings_have_samples_or_a_reason(
    tmp_path: Path, suffix: str, rate_hz: int, num_frames: int
) -> None:
    path = write(tmp_path / f"a.{suffix}", np.full((num_frames, 1), 0.5, np.float32), rate_hz)
    expected = round(num_frames * 16_000 / rate_hz)
    if expected == 0:
        with pytest.raises(
            AudioError, match=rf"less than one sample at 16000 Hz \(frames: {num_frames}, at {rate_hz} Hz"
        ):
            decoded(path)
        return
    samples, problems, _ = decoded(path)
    assert len(samples) in (expected, expected + 1)
    assert problems == []
