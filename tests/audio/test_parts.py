"""A recording whose format changes on the way is read to its end, each part as if it were alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio.in_process import InProcessRecording
from cedtag.audio.mono import MonoStream
from cedtag.audio.parts import SteadyDecoder
from cedtag.audio.selection import Selection
from tests.sounds import bursts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.mono import Samples

Part = tuple["Samples", int]
PARTS: list[Part] = [
    (bursts(1, 44_100, 2), 44_100),
    (bursts(0.5, 16_000), 16_000),
    (bursts(1, 48_000, 6), 48_000),
    (bursts(0.7, 44_100), 44_100),
]


class Joined:
    """A decoder of parts with formats of their own, in pieces of 5,000 frames."""

    declared_frames: int | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self.rate_hz, self.channels = parts[0][1], parts[0][0].shape[1]

    def frames(self) -> Iterator[Samples]:
        for frames, rate_hz in self._parts:
            self.rate_hz, self.channels = rate_hz, frames.shape[1]
            for start in range(0, len(frames), 5_000):
                yield frames[start : start + 5_000]

    def close(self) -> None: ...


def read(parts: list[Part], channel: str = "mix") -> tuple[Samples, list[str]]:
    with InProcessRecording("a", Joined(parts), selection=Selection(channel)) as recording:
        blocks = list(recording.blocks())
        return np.concatenate(blocks), recording.problems


def alone(frames: Samples, rate_hz: int) -> Samples:
    stream = MonoStream(rate_hz)
    return np.concatenate([stream.push(frames), stream.flush()])


def test_every_part_is_resampled_and_mixed_as_if_it_were_alone() -> None:
    samples, problems = read(PARTS)
    np.testing.assert_allclose(samples, np.concatenate([alone(*part) for part in PARTS]), atol=1e-6)
    assert problems == []


def test_what_is_odd_in_any_part_is_said() -> None:
    bad = np.full((100, 1), np.nan, np.float32)
    assert read([*PARTS, (bad, 8_000)])[1] == ["samples that are not finite or out of any range, read as 0: 100"]


def test_one_channel_is_read_until_a_part_lacks_it() -> None:
    samples, problems = read(PARTS, "2")
    np.testing.assert_allclose(samples, alone(PARTS[0][0][:, 1:], 44_100), atol=1e-6)
    assert problems == ["decoded 44100 frames: its next part: has 1 channel, and no channel 2"]


def test_each_channel_is_read_while_their_number_stays() -> None:
    slower = (bursts(1, 22_050, 2), 22_050)
    samples, problems = read([PARTS[0], slower, PARTS[1]], "each")
    for number in range(2):
        expected = [alone(frames[:, number : number + 1], rate_hz) for frames, rate_hz in (PARTS[0], slower)]
        np.testing.assert_allclose(samples[:, number], np.concatenate(expected), atol=1e-6)
    change = "changes from 2 to 1 channels, and as each is scored by itself, the rest was not read"
    assert problems == [f"decoded {44_100 + 22_050} frames: {change}"]


def test_a_part_at_a_rate_that_no_recording_has_ends_it() -> None:
    samples, problems = read([PARTS[1], (bursts(0.1, 16_000), 3)])
    assert len(samples) == 8_000
    assert "a rate of 3 Hz is outside" in problems[0]


@pytest.mark.parametrize("first", range(4))
def test_frames_keep_the_format_of_the_first_part(first: int) -> None:
    parts = PARTS[first:] + PARTS[:first]
    rate_hz, channels = parts[0][1], parts[0][0].shape[1]
    decoder = SteadyDecoder(Joined(parts), "a")
    frames = np.concatenate(list(decoder.frames()))
    assert (decoder.rate_hz, decoder.channels) == (rate_hz, channels)
    assert frames.shape[1] == channels
    assert len(frames) == pytest.approx(3.2 * rate_hz, abs=4)
    np.testing.assert_array_equal(frames[: len(parts[0][0])], parts[0][0])
    second = round(rate_hz * len(parts[0][0]) / parts[0][1])
    loud = frames[second : second + round(rate_hz * len(parts[1][0]) / parts[1][1])]
    assert np.abs(loud).max() == pytest.approx(np.abs(parts[1][0].mean(axis=1)).max(), rel=0.3)
