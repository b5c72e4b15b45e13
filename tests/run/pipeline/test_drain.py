from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from cedtag.records import FileEnd, FileFailed, ScoredWindow, Skipped
from cedtag.run.pipeline.drain import drain
from tests.run.pipeline.fakes import SIZE, FakeRecording, group, lane, noise, source

END = FileEnd(source("a"), 3 * SIZE, 3)


def unexpected() -> None:
    raise AssertionError


def scored(name: str, count: int, start: int = 0):
    made = group(name, count, start)
    made.scores.set_result(np.arange(start, start + count, dtype=np.float32)[:, None])
    return made


def test_windows_come_in_order_with_their_scores_and_the_end_is_the_last():
    given = lane()
    for item in (scored("a", 2), scored("a", 1, start=2), END, "never reached"):
        given.items.put(item)
    *windows, end = drain(given, None, unexpected)
    assert end == END
    assert [(w.index, w.start, w.stop, w.probabilities.tolist()) for w in windows] == [
        (i, i * SIZE, (i + 1) * SIZE, [i]) for i in range(3)
    ]


def test_what_is_no_recording_passes():
    given = lane()
    given.items.put(Skipped(source("a"), "a device"))
    assert list(drain(given, None, unexpected)) == [Skipped(source("a"), "a device")]


def test_a_group_that_is_scored_makes_room_for_another():
    given = lane(groups=0)
    given.items.put(scored("a", 1))
    given.items.put(END)
    outcomes = drain(given, None, unexpected)
    assert not given.room.acquire(blocking=False)
    next(outcomes)
    assert given.room.acquire(blocking=False)


def test_windows_without_finite_scores_are_left_out_and_a_problem():
    given, made = lane(), group("a", 3)
    made.scores.set_result(np.array([[1, 0], [np.nan, 0], [np.inf, 0]], np.float32))
    given.items.put(made)
    given.items.put(END)
    window, end = drain(given, None, unexpected)
    assert window.probabilities.tolist() == [1, 0]
    problem = "windows left out because their scores are not finite numbers: 2, from 0.025 s on"
    assert end == FileEnd(source("a"), 3 * SIZE, 1, (problem,))


def test_a_recording_without_any_finite_score_has_failed():
    given, made = lane(), group("a", 3)
    made.scores.set_result(np.full((3, 2), np.nan, np.float32))
    given.items.put(made)
    given.items.put(END)
    (end,) = drain(given, None, unexpected)
    problem = "a: windows left out because their scores are not finite numbers: 3, from 0.000 s on"
    assert end == FileFailed(source("a"), "score", problem)


@pytest.mark.parametrize("where", ["decoder", "scorer"])
def test_an_exception_of_a_thread_is_raised(where):
    given, failed = lane(), group("a")
    failed.scores.set_exception(ZeroDivisionError())
    given.items.put(ZeroDivisionError() if where == "decoder" else failed)
    with pytest.raises(ZeroDivisionError):
        list(drain(given, None, unexpected))


@pytest.mark.parametrize("num_windows", [0, 2])
def test_a_lane_whose_decoder_is_silent_too_long_is_abandoned(num_windows):
    given, replaced = lane(), []
    given.recording = FakeRecording(noise(0))  # type: ignore[assignment]
    given.waiting_since, given.num_samples = time.monotonic(), 24_000
    if num_windows:
        given.items.put(scored("a", num_windows))
    started = time.monotonic()
    *windows, end = drain(given, 0.2, lambda: replaced.append(given.abandoned))

    assert 0.2 <= time.monotonic() - started < 5
    assert given.recording.closed
    assert replaced == [True]
    assert [type(window) for window in windows] == [ScoredWindow] * num_windows
    if num_windows:
        problem = "no samples from the decoder for 0.2 s after 1.5 s of the recording; stopped (timeout)"
        assert end == FileEnd(source("a"), 24_000, 2, (problem,), cause="timeout")
    else:
        assert end == FileFailed(source("a"), "timeout", "a: no samples from the decoder for 0.2 s; stopped (timeout)")


def test_what_is_there_already_comes_before_the_silence_counts():
    given = lane()
    given.waiting_since = time.monotonic() - 100
    given.items.put(scored("a", 3))
    given.items.put(END)
    assert list(drain(given, 0.2, unexpected))[-1] == END


def test_a_lane_that_waits_for_a_decoder_to_be_free_is_not_abandoned():
    given = lane()
    outcomes = drain(given, 0.05, unexpected)
    given.items.put(scored("a", 1))
    next(outcomes)
    threading.Timer(0.3, given.items.put, [END]).start()
    assert list(outcomes) == [END]
