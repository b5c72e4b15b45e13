from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import AudioError
from cedtag.records import FileEnd, FileFailed, ScoredWindow, Skipped
from cedtag.run.pipeline import LocalEngine, PipelineSettings, score_recordings
from tests.run.pipeline.fakes import SETTINGS, SIZE, FakeRecording, MeanScorer, noise, source


def run(recordings: dict[str, FakeRecording], scorer=None, settings=SETTINGS) -> list:
    return list(
        score_recordings(map(source, recordings), lambda s: recordings[s.path], scorer or MeanScorer(), settings)
    )


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

    assert facts(run(recordings(block), settings=PipelineSettings(SIZE, SIZE, decoders, scorers))) == facts(
        run(recordings(4096))
    )


def test_events_come_in_input_order_whatever_finishes_first():
    recordings = {"long.wav": FakeRecording(noise(5 * SIZE)), **{f"{i}.wav": FakeRecording(noise(9)) for i in range(9)}}
    events = run(recordings, MeanScorer(delay_s=0.005), PipelineSettings(SIZE, SIZE, 3, 3))
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

    events = list(score_recordings(map(source, ["a", "bad", "b"]), open_recording, MeanScorer(), SETTINGS))
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
    events = list(score_recordings(given_, lambda s: FakeRecording(noise(SIZE)), MeanScorer(), SETTINGS))
    assert [e.source.name for e in events] == ["fifo", "a", "a", "gone"]


@pytest.mark.parametrize(("num_samples", "outcome"), [(0, FileFailed), (3 * SIZE, FileEnd)])
def test_a_decoder_that_hangs_is_given_up_and_the_run_goes_on(num_samples, outcome):
    recordings = {"hangs": FakeRecording(noise(num_samples), hang=threading.Event()), "b": FakeRecording(noise(SIZE))}
    events = run(recordings, MeanScorer(batch_size=1), PipelineSettings(SIZE, SIZE, timeout_s=0.2))
    ends = [e for e in events if not isinstance(e, ScoredWindow)]
    assert [type(e) for e in ends] == [outcome, FileEnd]
    assert recordings["hangs"].closed
    assert "no samples from the decoder for 0.2 s" in (ends[0].error if outcome is FileFailed else ends[0].problems[0])


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
        list(score_recordings(sources(), lambda s: recording, scorer, SETTINGS))


def test_closing_the_events_stops_every_thread():
    before = threading.active_count()
    recordings = {str(i): FakeRecording(noise(50 * SIZE)) for i in range(50)}
    settings = PipelineSettings(SIZE, SIZE, 2, 2)
    events = score_recordings(map(source, recordings), lambda s: recordings[s.path], MeanScorer(), settings)
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

    events = score_recordings(sources(), lambda s: FakeRecording(noise(SIZE)), MeanScorer(), SETTINGS)
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

    events = score_recordings([source("a")], lambda s: Endless(noise(0)), MeanScorer(), SETTINGS)
    next(events)
    time.sleep(0.1)
    assert given_out < 20 * SIZE
    events.close()


def test_decoders_and_scorers_work_side_by_side():
    opening, scoring = threading.Barrier(2, timeout=5), threading.Barrier(3, timeout=5)

    class Meeting(MeanScorer):
        def score(self, windows):
            scoring.wait()
            return super().score(windows)

    def open_recording(source):
        opening.wait()
        return FakeRecording(noise(3 * SIZE))

    settings = PipelineSettings(SIZE, SIZE, decoders=2, scorers=3)
    events = list(score_recordings(map(source, "ab"), open_recording, Meeting(batch_size=1), settings))
    assert [e.source.name for e in events if isinstance(e, FileEnd)] == ["a", "b"]


def test_one_engine_may_run_several_times():
    engine = LocalEngine(lambda s: FakeRecording(noise(SIZE)), MeanScorer(), SETTINGS)
    assert [[e.source.name for e in engine.run([source(name)])] for name in "ab"] == [["a", "a"], ["b", "b"]]
