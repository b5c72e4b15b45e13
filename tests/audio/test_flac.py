"""FLAC: decoding goes on after damage, with silence in its place, and with the next stream."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio.containers.file_bytes import HeadBytes
from cedtag.audio.containers.flac import Frame, inspect_flac, read_stream, sound_frames
from tests.sounds import bursts, decoded, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cedtag.audio.mono import Samples

RATE_HZ = 16_000
SECONDS = 12
BLOCK = 4096


@pytest.fixture(scope="module")
def flac(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples = bursts(SECONDS, RATE_HZ) + np.float32(1e-3)
    return write(tmp_path_factory.mktemp("flac") / "a.flac", samples, RATE_HZ)


@pytest.fixture(scope="module")
def original(flac: Path) -> Samples:
    samples, problems, warnings = decoded(flac)
    assert (problems, warnings) == ([], [])
    return samples


def frames_of(data: bytes) -> list[Frame]:
    file = HeadBytes(data)
    stream = read_stream(file, 0)
    assert stream is not None
    return list(sound_frames(file, stream, stream.audio))


def changed(flac: Path, change: Callable[[bytearray, list[Frame]], bytes | bytearray]) -> Path:
    other = flac.with_name("changed.flac")
    data = flac.read_bytes()
    other.write_bytes(change(bytearray(data), frames_of(data)))
    return other


def flip(data: bytearray, frame: Frame, place: float) -> bytearray:
    data[frame.offset + int((frame.stop - frame.offset - 1) * place)] ^= 0x10
    return data


def assert_silent_only(samples: Samples, original: Samples, begin: int, end: int) -> None:
    """The same samples, but for silence between two places."""
    expected = original.copy()
    expected[begin:end] = 0
    np.testing.assert_array_equal(samples, expected)


def total_samples(flac: Path, number: int) -> Path:
    def with_total(data: bytearray, _: list[Frame]) -> bytearray:
        data[21:26] = (int.from_bytes(data[21:26], "big") >> 36 << 36 | number).to_bytes(5, "big")
        return data

    return changed(flac, with_total)


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("number", [0, 7, 20])
def test_a_flipped_bit_costs_its_frame_alone(flac: Path, original: Samples, number: int, place: float) -> None:
    samples, problems, _ = decoded(changed(flac, lambda data, frames: flip(data, frames[number], place)))
    assert_silent_only(samples, original, number * BLOCK, (number + 1) * BLOCK)
    assert problems == [f"damaged or missing FLAC frames; silence in their place: 0.256 s at {number * 0.256:.2f} s"]


def test_every_damaged_frame_is_named_up_to_three(flac: Path, original: Samples) -> None:
    def flipped(data: bytearray, frames: list[Frame]) -> bytearray:
        for number in (3, 4, 9, 20, 30):
            flip(data, frames[number], 0.5)
        return data

    samples, problems, _ = decoded(changed(flac, flipped))
    named = "0.512 s at 0.77 s, 0.256 s at 2.30 s, 0.256 s at 5.12 s and 1 more"
    assert problems == [f"damaged or missing FLAC frames; silence in their place: {named}"]
    np.testing.assert_array_equal(samples[31 * BLOCK :], original[31 * BLOCK :])


def test_what_follows_a_hole_or_junk_keeps_its_time(flac: Path, original: Samples) -> None:
    hole = changed(flac, lambda data, frames: data[: frames[10].offset + 50] + data[frames[19].offset + 50 :])
    assert_silent_only(decoded(hole)[0], original, 10 * BLOCK, 20 * BLOCK)
    junk = changed(flac, lambda data, frames: data[: frames[10].stop] + b"\xff\xf8junk" * 99 + data[frames[10].stop :])
    np.testing.assert_array_equal(decoded(junk)[0], original)


def test_a_damaged_or_missing_end_is_a_problem(flac: Path, original: Samples) -> None:
    samples, problems, _ = decoded(changed(flac, lambda data, frames: flip(data, frames[-1], 0.5)))
    assert problems[0].startswith(f"decoded {46 * BLOCK} of {len(original)} frames")
    np.testing.assert_array_equal(samples, original[: 46 * BLOCK])
    assert decoded(changed(flac, lambda data, frames: data[: frames[30].offset + 9]))[1]
    without_length = changed(total_samples(flac, 0), lambda data, frames: data[: frames[30].offset + 9])
    assert decoded(without_length)[1]


def test_a_stream_of_unknown_length_is_whole(flac: Path, original: Samples) -> None:
    samples, problems, warnings = decoded(total_samples(flac, 0))
    assert (problems, warnings) == ([], [])
    np.testing.assert_array_equal(samples, original)


def test_a_header_that_states_too_few_samples_is_a_warning(flac: Path, original: Samples) -> None:
    samples, problems, warnings = decoded(total_samples(flac, len(original) // 2))
    assert problems == []
    assert re.search(
        f"states {len(original) // 2} samples of each channel, but its last frame ends at {len(original)}", warnings[0]
    )
    np.testing.assert_array_equal(samples, original)


def test_a_segment_that_begins_at_a_later_frame_is_whole(flac: Path, original: Samples) -> None:
    segment = changed(flac, lambda data, frames: data[: frames[0].offset] + data[frames[9].offset : frames[30].offset])
    samples, problems, warnings = decoded(segment)
    assert (problems, warnings) == ([], [])
    np.testing.assert_array_equal(samples, original[9 * BLOCK : 30 * BLOCK])
    assert decoded(changed(segment, lambda data, _: data[:-99]))[1]


@pytest.mark.parametrize(("rate_hz", "channels"), [(RATE_HZ, 1), (22_050, 2)])
@pytest.mark.parametrize("is_damaged", [False, True])
def test_joined_streams_are_read_to_the_end(
    flac: Path, original: Samples, rate_hz: int, channels: int, is_damaged: bool
) -> None:
    second = write(flac.with_name("b.flac"), bursts(3, rate_hz, channels), rate_hz)
    joined = flac.with_name("joined.flac")
    first = changed(flac, lambda data, frames: flip(data, frames[7], 0.5)) if is_damaged else flac
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    samples, problems, _ = decoded(joined)
    assert len(problems) == is_damaged
    assert len(samples) == pytest.approx(len(original) + 3 * 16_000, abs=2)
    np.testing.assert_allclose(samples[-8_000:], decoded(second)[0][-8_000:], atol=1e-6)


def test_flac_that_ffmpeg_reads_is_checked_frame_by_frame(flac: Path) -> None:
    data = flac.read_bytes()
    assert inspect_flac(HeadBytes(data)).problems == ()
    assert inspect_flac(HeadBytes(data + data)).problems == ()
    frames = frames_of(data)
    damaged = flip(flip(bytearray(data), frames[5], 0.5), frames[-1], 0.5)
    problem = "places where FLAC frames are damaged or missing: 2"
    assert inspect_flac(HeadBytes(bytes(damaged))).problems == (problem,)
