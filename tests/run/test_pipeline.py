from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import AudioError
from cedtag.records import FileEnd, FileFailed, ScoredWindow, Skipped, Source
from cedtag.run.pipeline import Plan, score_recordings

SIZE = 400
PLAN = Plan(window=SIZE, hop=SIZE)


def source(name: str) -> Source:
    return Source(name, name, name)


@dataclass
class FakeRecording:
    """Yields its blocks, then raises or hangs when told to."""

    samples: np.ndarray
    block: int = 150
    error: Exception | None = None
    hang: threading.Event | None = None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    closed: bool = False

    def blocks(self):
        for start in range(0, len(self.samples), self.block):
            yield self.samples[start : start + self.block]
        if self.hang:
            self.hang.wait(20)
        if self.error:
            raise self.error

    def close(self):
        self.closed = True
        if self.hang:
            self.hang.set()


class MeanScorer:
    """The mean of a window and the number of windows in the call, so that grouping shows."""

    def __init__(self, batch_size=2, across_recordings=False, delay_s=0.0):
        self.batch_size, self.across_recordings, self.delay_s = batch_size, across_recordings, delay_s
        self.calls: list[list[str]] = []

    def score(self, windows):
        time.sleep(self.delay_s)
        self.calls.append([window.source.name for window in windows])
        return np.array([[window.samples.mean(), len(windows)] for window in windows], np.float32)


def noise(num_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(num_samples, np.float32)


def run(recordings: dict[str, FakeRecording], scorer=None, plan=PLAN) -> list:
    return list(score_recordings(map(source, recordings), lambda s: recordings[s.path], scorer or MeanScorer(), plan))


def facts(events: list) -> list:
    """Events as values that compare."""
    return [
        (e.source.name, e.index, e.start, e.stop, e.probabilities.tobytes()) if isinstance(e, ScoredWindow) else e
        for e in events
    ]


@given(
    lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=6),
    block=st.integers(50, 2000),
    decoders=st.integers(1, 3),
    scorers=st.integers(1, 3),
)
def test_threads_and_block_sizes_change_nothing(lengths, block, decoders, scorers):
    def recordings(block):
        return {f"{i}.wav": FakeRecording(noise(n, i), block) for i, n in enumerate(lengths)}

    assert facts(run(recordings(block), plan=Plan(SIZE, SIZE, decoders, scorers))) == facts(run(recordings(4096)))


def test_events_come_in_input_order_whatever_finishes_first():
    recordings = {"long.wav": FakeRecording(noise(5 * SIZE)), **{f"{i}.wav": FakeRecording(noise(9)) for i in range(9)}}
    events = run(recordings, MeanScorer(delay_s=0.005), Plan(SIZE, SIZE, 3, 3))
    assert [e.source.name for e in events if isinstance(e, FileEnd)] == list(recordings)
    assert [e.index for e in events if isinstance(e, ScoredWindow)][:5] == [0, 1, 2, 3, 4]


def test_a_call_holds_windows_of_one_recording_grouped_by_their_index():
    scorer = MeanScorer(batch_size=2)
    run({"a": FakeRecording(noise(5 * SIZE)), "b": FakeRecording(noise(SIZE))}, scorer)
    assert sorted(scorer.calls) == [["a"], ["a", "a"], ["a", "a"], ["b"]]


def test_a_scorer_that_mixes_recordings_gets_what_waits_in_one_call():
    scorer = MeanScorer(batch_size=16, across_recordings=True, delay_s=0.05)
    events = run({str(i): FakeRecording(noise(SIZE, i)) for i in range(30)}, scorer)
    assert max(len(set(names)) for names in scorer.calls) > 1
    assert [e.source.name for e in events if isinstance(e, FileEnd)] == [str(i) for i in range(30)]


def test_a_recording_that_does_not_open_costs_only_itself():
    def open_recording(source):
        if source.path == "bad":
            raise AudioError("bad: not audio", stage="open")
        return FakeRecording(noise(SIZE))

    events = list(score_recordings(map(source, ["a", "bad", "b"]), open_recording, MeanScorer(), PLAN))
    assert [e for e in events if not isinstance(e, ScoredWindow)] == [
        FileEnd(source("a"), SIZE, 1),
        FileFailed(source("bad"), "open", "bad: not audio"),
        FileEnd(source("b"), SIZE, 1),
    ]


def test_what_was_scored_before_an_error_is_kept_as_partial():
    events = run({"a": FakeRecording(noise(5 * SIZE), error=AudioError("a: lost sync"))}, MeanScorer(batch_size=1))
    assert [type(e) for e in events] == [ScoredWindow] * 5 + [FileEnd]
    assert events[-1].problems == ("a: lost sync",)
    assert events[-1].status == "partial"


def test_problems_and_warnings_of_a_recording_come_with_its_end():
    recording = FakeRecording(noise(SIZE), problems=["short"], warnings=["odd"])
    assert run({"a": recording})[-1] == FileEnd(source("a"), SIZE, 1, ("short",), ("odd",))
    assert recording.closed


def test_sources_that_are_no_recordings_pass_through_in_order():
    given_ = [Skipped(source("fifo"), "a FIFO"), source("a"), FileFailed(source("gone"), "open", "gone: no such file")]
    events = list(score_recordings(given_, lambda s: FakeRecording(noise(SIZE)), MeanScorer(), PLAN))
    assert [e.source.name for e in events] == ["fifo", "a", "a", "gone"]


@pytest.mark.parametrize(("num_samples", "outcome"), [(0, FileFailed), (3 * SIZE, FileEnd)])
def test_a_decoder_that_hangs_is_given_up_and_the_run_goes_on(num_samples, outcome):
    recordings = {"hangs": FakeRecording(noise(num_samples), hang=threading.Event()), "b": FakeRecording(noise(SIZE))}
    events = run(recordings, MeanScorer(batch_size=1), Plan(SIZE, SIZE, timeout_s=0.2))
    ends = [e for e in events if not isinstance(e, ScoredWindow)]
    assert [type(e) for e in ends] == [outcome, FileEnd]
    assert recordings["hangs"].closed
    assert "gave nothing for 0.2 s" in (ends[0].error if outcome is FileFailed else ends[0].problems[0])


@pytest.mark.parametrize("where", ["decoder", "scorer", "sources"])
def test_a_bug_stops_the_run_with_its_own_exception(where):
    def sources():
        yield source("a")
        if where == "sources":
            raise ZeroDivisionError

    class BadScorer(MeanScorer):
        def score(self, windows):
            raise ZeroDivisionError

    recording = FakeRecording(noise(SIZE), error=ZeroDivisionError() if where == "decoder" else None)
    scorer = BadScorer() if where == "scorer" else MeanScorer()
    with pytest.raises(ZeroDivisionError):
        list(score_recordings(sources(), lambda s: recording, scorer, PLAN))


def test_closing_the_events_stops_every_thread():
    before = threading.active_count()
    recordings = {str(i): FakeRecording(noise(50 * SIZE)) for i in range(50)}
    plan = Plan(SIZE, SIZE, 2, 2)
    events = score_recordings(map(source, recordings), lambda s: recordings[s.path], MeanScorer(), plan)
    next(events)
    events.close()
    assert threading.active_count() == before


def test_listing_runs_ahead_by_a_bounded_number_of_files():
    listed = 0

    def sources():
        nonlocal listed
        for i in range(10_000):
            listed += 1
            yield source(str(i))

    events = score_recordings(sources(), lambda s: FakeRecording(noise(SIZE)), MeanScorer(), PLAN)
    next(events)
    assert listed < 50
    events.close()


def test_a_lane_holds_a_bounded_part_of_a_long_recording():
    given_out = 0

    class Endless(FakeRecording):
        def blocks(self):
            nonlocal given_out
            while True:
                given_out += SIZE
                yield noise(SIZE)

    events = score_recordings([source("a")], lambda s: Endless(noise(0)), MeanScorer(), PLAN)
    next(events)
    time.sleep(0.1)
    assert given_out < 20 * SIZE
    events.close()
