from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from cedtag.errors import AudioError
from cedtag.records import FileEnd, FileFailed, ScoredWindow, Source
from cedtag.run.pipeline import PipelineSettings, score_recordings
from cedtag.run.refinement import Refinement, refined

COARSE, FINE = 16_000, 4_000


@dataclass
class FakeRecording:
    samples: np.ndarray
    block: int = 3_000
    problems: list[str] = field(default_factory=list)
    cause: str = ""
    traceback: str = ""
    warnings: list[str] = field(default_factory=list)
    open: bool = True

    def blocks(self):
        buffer = np.empty(self.block, np.float32)  # overwritten, as decoders do
        for start in range(0, len(self.samples), self.block):
            piece = self.samples[start : start + self.block]
            buffer[: len(piece)] = piece
            yield buffer[: len(piece)]

    def close(self):
        self.open = False


class LoudestScorer:
    """The loudest sample of a window: what a tagger gives for short sounds in long windows."""

    batch_size = 3
    across_recordings = False

    def __init__(self):
        self.scored = 0

    def prepare_thread(self):
        pass

    def score(self, windows):
        self.scored += sum(len(window.samples) for window in windows)
        return np.array([[np.abs(window.samples).max()] for window in windows], np.float32)


def active(window: ScoredWindow) -> frozenset[int]:
    return frozenset(np.flatnonzero(window.probabilities >= 0.5).tolist())


def sound(num_samples: int, *spans: tuple[int, int]) -> np.ndarray:
    samples = np.zeros(num_samples, np.float32)
    for start, stop in spans:
        samples[start:stop] = 0.9
    return samples


def run(samples: np.ndarray, *, scorer=None, again=None, fine: int = FINE, threads: int = 1, plan=None):
    """The events of one recording; `again` is what its second reading gives."""
    scorer = scorer or LoudestScorer()
    source = Source("a", "a", "a")
    opened: list[FakeRecording] = []

    def reopen(_):
        if isinstance(again, Exception):
            raise again
        opened.append(FakeRecording(samples if again is None else again, 5_000))
        return opened[-1]

    coarse = score_recordings(
        [source], lambda _: FakeRecording(samples), scorer, plan or PipelineSettings(COARSE, COARSE)
    )
    found = list(refined(coarse, Refinement(reopen, scorer, active, fine, threads)))
    assert not any(recording.open for recording in opened)
    return found


def spans(events) -> list[tuple[int, int]]:
    return [(e.start, e.stop) for e in events if isinstance(e, ScoredWindow)]


def test_only_windows_in_which_something_begins_or_ends_are_scored_again():
    samples = sound(8 * COARSE, (2 * COARSE + 100, 6 * COARSE - 100))
    sizes = [stop - start for start, stop in spans(run(samples))]
    fine = [FINE] * 7
    assert sizes == [COARSE, *fine, *fine, COARSE, COARSE, *fine, *fine, COARSE]


def test_a_lone_window_is_scored_again_with_its_neighbours():
    sizes = [stop - start for start, stop in spans(run(sound(5 * COARSE, (2 * COARSE + 5, 2 * COARSE + 9))))]
    assert sizes == [COARSE, *[FINE] * 21, COARSE]


def test_a_recording_in_which_nothing_changes_is_not_read_again():
    events = run(sound(3 * COARSE), again=AudioError("not to be opened"))
    assert spans(events) == [(i * COARSE, (i + 1) * COARSE) for i in range(3)]


@run_with(max_examples=80)
@given(
    length=st.integers(2_000, 150_000),
    at=st.lists(st.integers(0, 150_000), max_size=4),
    fine=st.sampled_from([1_000, 4_000, 5_333, 16_000]),
    threads=st.integers(1, 3),
)
def test_refined_windows_cover_every_sample_in_order_and_score_what_they_hold(length, at, fine, threads):
    samples = sound(length, *((start, start + 700) for start in at))
    *windows, end = run(samples, fine=fine, threads=threads)
    assert end == FileEnd(Source("a", "a", "a"), length, len(windows))
    assert [window.index for window in windows] == list(range(len(windows)))
    reached = 0
    for window in windows:
        assert window.start <= reached < window.stop
        reached = window.stop
        if window is not windows[-1]:  # which may show less than it holds, to stay behind the one before
            assert window.probabilities[0] == samples[window.start : window.stop].max()
    assert reached == length
    assert [w.start for w in windows] == sorted(w.start for w in windows)


@pytest.mark.parametrize("again", [AudioError("gone"), np.zeros(0, np.float32), sound(4 * COARSE)[: 2 * COARSE + 5]])
def test_where_the_second_reading_gives_less_the_coarse_windows_stay(again):
    samples = sound(4 * COARSE, (2 * COARSE + 5, 2 * COARSE + 900))
    stayed = spans(run(samples, again=again))
    assert stayed[-2:] == [(2 * COARSE, 3 * COARSE), (3 * COARSE, 4 * COARSE)]


def test_outcomes_pass_and_a_recording_that_is_let_go_is_closed():
    failed = FileFailed(Source("b", "b", "b"), "open", "b: broken")
    samples = sound(4 * COARSE, (5, 9))
    opened = []

    def reopen(_):
        opened.append(FakeRecording(samples))
        return opened[-1]

    scorer = LoudestScorer()
    coarse = score_recordings(
        [Source("a", "a", "a")], lambda _: FakeRecording(samples), scorer, PipelineSettings(COARSE, COARSE)
    )
    events = refined([failed, *coarse], Refinement(reopen, scorer, active, FINE))
    assert next(events) == failed
    next(events)
    events.close()
    assert [recording.open for recording in opened] == [False]


def test_it_costs_what_is_read_again():
    samples = sound(100 * COARSE, (50 * COARSE + 10, 50 * COARSE + 20))
    scorer = LoudestScorer()
    run(samples, scorer=scorer)
    assert scorer.scored == 100 * COARSE + 3 * 7 * FINE
