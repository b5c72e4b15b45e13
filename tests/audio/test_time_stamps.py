"""Sound stands where its container's time stamps put it: gaps are silence, and rounding moves nothing."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio import Decoders
from tests.sounds import decoded_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av import Packet
    from av.container import OutputContainer

    from cedtag.audio.mono import Samples

av = pytest.importorskip("av")

RATE_HZ = 48_000
FRAME = 4_800
SECONDS = 3
SOUNDS = {"mka": "pcm_s16le", "mkv": "pcm_s16le", "mov": "pcm_s16le", "mp4": "aac", "webm": "libopus"}
SOUNDS |= {"ts": "mp2", "flv": "aac", "avi": "pcm_s16le", "wmv": "wmav2", "mpg": "mp2"}
PICTURES = {"flv": "flv", "mpg": "mpeg1video", "wmv": "wmv2"}


def noise(seconds: float = SECONDS) -> Samples:
    """Return noise with a level of its own in every tenth of a second."""
    rng = np.random.default_rng(0)
    levels = np.repeat(rng.uniform(0.1, 0.4, round(10 * seconds)), FRAME)
    return (levels * rng.uniform(-1, 1, len(levels))).astype(np.float32)


def write_stamped(
    path: Path,
    later_s: Callable[[float], float] = lambda time_s: 0.0,
    picture_at_s: float | None = None,
    *,
    decoded_later: bool = True,
    **options: str,
) -> Path:
    """Write noise whose packet at time t is stamped `later_s(t)` later, and a picture from `picture_at_s` on.

    Unless `decoded_later`, that is the time at which it is heard alone, and its place in the file stays.
    """
    suffix, samples = path.suffix[1:], noise()
    with av.open(str(path), "w", options=options) as file:
        sound = file.add_stream(SOUNDS[suffix], rate=RATE_HZ, layout="mono", bit_rate=96_000)
        if picture_at_s is not None:
            picture = file.add_stream(PICTURES.get(suffix, "mpeg4"), rate=25)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
            for _ in range(25 * SECONDS):
                mux_later(file, picture.encode(av.VideoFrame(32, 32, "yuv420p")), lambda _: picture_at_s)
            mux_later(file, picture.encode(None), lambda _: picture_at_s)
        for at in range(0, len(samples), FRAME):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + FRAME], format="flt", layout="mono")
            frame.sample_rate, frame.pts = RATE_HZ, at
            mux_later(file, sound.encode(frame), later_s, decoded_later=decoded_later)
        mux_later(file, sound.encode(None), later_s, decoded_later=decoded_later)
    return path


def mux_later(
    file: OutputContainer, packets: list[Packet], later_s: Callable[[float], float], *, decoded_later: bool = True
) -> None:
    for packet in packets:
        assert packet.pts is not None
        assert packet.dts is not None
        shift = round(later_s(float(packet.pts * packet.time_base)) / packet.time_base)
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift * decoded_later
        file.mux(packet)


def boxes(data: bytes) -> list[bytes]:
    """Return the boxes of an MP4 file, one after the other."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[:size])
        data = data[size:]
    return found


def onset_s(samples: Samples) -> float:
    """Return where the first sound begins."""
    return float(np.argmax(np.abs(samples) > 0.01)) / 16_000


def silence_s(samples: Samples, start_s: float, stop_s: float) -> float:
    """Return how long it is silent between two times."""
    part = np.abs(samples[round(16_000 * start_s) : round(16_000 * stop_s)])
    return float(np.count_nonzero(part.reshape(-1, 160).max(axis=1) < 1e-3)) / 100


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


@pytest.mark.parametrize("suffix", ["mkv", "mov", "mp4", "ts", "flv", "mpg", "wmv"])
def test_sound_that_begins_after_the_picture_begins_late(decoders: Decoders, tmp_path: Path, suffix: str) -> None:
    path = write_stamped(tmp_path / f"a.{suffix}", lambda _: 1.5, picture_at_s=0)
    samples, problems, warnings = decoded_by(decoders, path)
    assert problems == []
    assert onset_s(samples) == pytest.approx(1.5, abs=0.1)
    assert len(samples) / 16_000 == pytest.approx(SECONDS + 1.5, abs=0.15)
    assert warnings[0].startswith("scored silence for the 1.")
    assert warnings[0].endswith("s before its sound begins")


@pytest.mark.parametrize("suffix", ["mka", "mov", "mp4", "webm", "ts", "flv"])
@pytest.mark.parametrize("begin_s", [0.0, 10.0, 95_442.0])
def test_times_count_from_where_the_file_begins(
    decoders: Decoders, tmp_path: Path, suffix: str, begin_s: float
) -> None:
    path = write_stamped(tmp_path / f"a.{suffix}", lambda _: begin_s)
    samples, problems, warnings = decoded_by(decoders, path)
    assert (problems, warnings) == ([], [])
    assert onset_s(samples) == pytest.approx(0, abs=0.08)
    assert len(samples) / 16_000 == pytest.approx(SECONDS, abs=0.1)


def test_sound_may_begin_later_than_a_picture_that_begins_late(decoders: Decoders, tmp_path: Path) -> None:
    path = write_stamped(tmp_path / "a.mkv", lambda _: 12.0, picture_at_s=10.0)
    assert onset_s(decoded_by(decoders, path)[0]) == pytest.approx(2, abs=0.01)


def test_a_fragment_of_a_stream_begins_at_zero(decoders: Decoders, tmp_path: Path) -> None:
    options = {"movflags": "empty_moov+default_base_moof", "frag_duration": "500000"}
    parts = boxes(write_stamped(tmp_path / "a.mp4", **options).read_bytes())
    fragments = [place for place, part in enumerate(parts) if part[4:8] == b"moof"]
    (tmp_path / "late.mp4").write_bytes(b"".join(parts[: fragments[0]] + parts[fragments[3] : fragments[5]]))
    samples, problems, warnings = decoded_by(decoders, tmp_path / "late.mp4")
    assert (problems, warnings) == ([], [])
    assert 0.9 < len(samples) / 16_000 < 1.1
    assert onset_s(samples) < 0.08


@pytest.mark.parametrize("suffix", ["mka", "mp4", "webm", "ts", "flv", "wmv"])
def test_a_gap_is_silence(decoders: Decoders, tmp_path: Path, suffix: str) -> None:
    path = write_stamped(tmp_path / f"a.{suffix}", lambda time_s: 2.0 * (time_s > 1))
    samples, problems, warnings = decoded_by(decoders, path)
    assert problems == []
    assert len(samples) / 16_000 == pytest.approx(SECONDS + 2, abs=0.15)
    assert silence_s(samples, 1, 3.2) == pytest.approx(2, abs=0.15)
    assert silence_s(samples, 3.3, 4.8) == 0
    assert warnings[-1].startswith(("scored silence for 2.", "scored silence for 1.9"))


def test_several_gaps_are_counted(decoders: Decoders, tmp_path: Path) -> None:
    path = write_stamped(tmp_path / "a.mka", lambda time_s: 1.0 * (time_s > 1) + 0.5 * (time_s > 2))
    samples, problems, warnings = decoded_by(decoders, path)
    assert problems == []
    assert len(samples) == 16_000 * 4.5
    (said,) = warnings
    assert said.startswith("scored silence for 1.00 s without sound at 1.")
    assert said.endswith(" and at 1 other place, 1.50 s in all")


@pytest.mark.parametrize("suffix", SOUNDS)
def test_time_stamps_that_are_rounded_move_no_sample(decoders: Decoders, tmp_path: Path, suffix: str) -> None:
    samples, problems, warnings = decoded_by(decoders, write_stamped(tmp_path / f"a.{suffix}"))
    assert (problems, warnings) == ([], [])
    with av.open(str(tmp_path / f"a.{suffix}")) as file:
        num_frames = sum(frame.samples for frame in file.decode(audio=0))
    num_frames += 2048 if suffix == "wmv" else 0  # the first sound of WMA, which FFmpeg leaves out
    assert abs(len(samples) - num_frames / 3) < 1


def test_time_stamps_of_an_unsteady_clock_move_no_sample(decoders: Decoders, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = write_stamped(tmp_path / "a.mka", lambda _: 0.1 + rng.uniform(-0.03, 0.03))
    samples, problems, warnings = decoded_by(decoders, path)
    assert (problems, warnings) == ([], [])
    assert len(samples) == 16_000 * SECONDS


def test_the_clock_of_another_machine_makes_no_gaps() -> None:
    from cedtag.audio.pyav.clock import PresentationClock

    times = PresentationClock(0.0)
    assert not any(times.silence_before(1.001 * place, 1.0) for place in range(1000))
    assert times.silence_before(1010.0, 1.0) == pytest.approx(10)  # what really is a gap makes up for it


def test_parts_that_overlap_are_read_one_after_the_other(decoders: Decoders, tmp_path: Path) -> None:
    data = write_stamped(tmp_path / "a.ts").read_bytes()
    (tmp_path / "twice.ts").write_bytes(data + data)
    samples, problems, warnings = decoded_by(decoders, tmp_path / "twice.ts")
    assert problems == []
    assert len(samples) / 16_000 == pytest.approx(2 * SECONDS, abs=0.1)
    assert warnings == ["its time stamps go back by 3.00 s at 3.00 s; the parts were read one after the other"]


def test_a_time_stamp_that_lies_makes_no_years_of_silence(decoders: Decoders, tmp_path: Path) -> None:
    path = write_stamped(tmp_path / "a.mka", lambda time_s: 3e8 * (time_s > 1))
    samples, problems, _ = decoded_by(decoders, path)
    assert len(samples) == 16_000 * SECONDS
    (said,) = problems
    assert said.startswith("its time stamps leap ahead by 300000000 s at 1.")


def test_avi_states_when_a_stream_begins(decoders: Decoders, tmp_path: Path) -> None:
    data = bytearray(write_stamped(tmp_path / "a.avi").read_bytes())
    at = data.index(b"auds") + 28  # of the stream's header: the time of its first sample, in samples
    rate, scale = (struct.unpack("<I", data[at - offset : at - offset + 4])[0] for offset in (4, 8))
    data[at : at + 4] = struct.pack("<I", 2 * rate // scale)
    (tmp_path / "late.avi").write_bytes(data)
    samples, problems, _ = decoded_by(decoders, tmp_path / "late.avi")
    assert problems == []
    assert onset_s(samples) == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("later_s", [5_000.0, 30.0, 0.5])
@pytest.mark.parametrize("place", [15, 29])
def test_one_packet_with_a_damaged_time_stamp_moves_nothing(
    decoders: Decoders, tmp_path: Path, later_s: float, place: int
) -> None:
    path = write_stamped(
        tmp_path / "a.mka", lambda time_s: later_s * (round(10 * time_s) == place), decoded_later=False
    )
    samples, problems, warnings = decoded_by(decoders, path)
    assert (problems, warnings) == ([], [])
    assert len(samples) == 16_000 * SECONDS


def test_a_single_time_stamp_that_goes_back_is_not_believed() -> None:
    from cedtag.audio.pyav.outliers import without_outliers

    stamps = [0, 10, 20, 3, 40, 50, 60, 2_000, 80, 500, 510, 520, 10, 20, 30]
    packets = [SimpleNamespace(pts=stamp, duration=10, size=1, time_base=1) for stamp in stamps]
    believed = [packet.pts for packet in without_outliers(packets, 1)]
    assert believed == [0, 10, 20, None, 40, 50, 60, None, 80, 500, 510, 520, 10, 20, 30]


@pytest.mark.parametrize(("every_s", "is_doubtful"), [(262.0, True), (0.5, False)])
def test_silence_before_nearly_every_packet_is_a_problem(every_s: float, is_doubtful: bool) -> None:
    from cedtag.audio.pyav.clock import PresentationClock

    clock = PresentationClock(0.0)
    for place in range(30):
        clock.silence_before(place * every_s, 0.25)
    problems = list(clock.problems())
    assert bool(problems) == is_doubtful
    assert all("of silence in 29 places of 7.50 s of sound, and may be wrong" in problem for problem in problems)
