from __future__ import annotations

import threading

import pytest

from cedtag.run.pipeline.scorers import score_groups, start_scorers
from cedtag.run.pipeline.threads import DaemonThreads, WorkQueue
from tests.run.pipeline.fakes import MeanScorer, group


def scored(scorer, groups, num_threads: int = 1) -> list[list[list[float]]]:
    """The scores that threads give the groups, which all wait before the first is started."""
    queue, threads = WorkQueue(), DaemonThreads()
    for each in groups:
        queue.put(each)
    start_scorers(num_threads, scorer, queue, threads)
    try:
        return [each.scores.result(timeout=5).tolist() for each in groups]
    finally:
        queue.close()
        threads.join(5)


def test_every_group_gets_the_scores_of_its_own_windows():
    groups = [group("a", 2), group("a", 1, start=2), group("b", 2)]
    score_groups(MeanScorer(), groups)
    assert [each.scores.result(0).tolist() for each in groups] == [[[0, 5], [1, 5]], [[2, 5]], [[0, 5], [1, 5]]]


def test_every_group_of_a_call_gets_the_exception_of_the_call():
    class BadScorer(MeanScorer):
        def score(self, windows):
            raise ZeroDivisionError

    groups = [group("a"), group("b")]
    score_groups(BadScorer(), groups)
    for each in groups:
        with pytest.raises(ZeroDivisionError):
            each.scores.result(0)


def test_a_call_holds_one_group_where_recordings_are_not_mixed():
    scorer = MeanScorer(batch_size=4)
    scored(scorer, [group("a", 4), group("a", 1, start=4), group("b", 1)])
    assert scorer.calls == [["a"] * 4, ["a"], ["b"]]


def test_a_call_holds_what_waits_up_to_a_batch_where_recordings_are_mixed():
    scorer = MeanScorer(batch_size=3, across_recordings=True)
    assert scored(scorer, [group("a"), group("a", start=1), group("b"), group("c")]) == [
        [[0, 3]],
        [[1, 3]],
        [[0, 3]],
        [[0, 1]],
    ]
    assert scorer.calls == [["a", "a", "b"], ["c"]]


def test_a_scorer_that_failed_scores_the_next_group_all_the_same():
    class OnceBad(MeanScorer):
        def score(self, windows):
            if not self.calls:
                self.calls.append([])
                raise ZeroDivisionError
            return super().score(windows)

    first, second = group("a"), group("a", start=1)
    queue, threads = WorkQueue(), DaemonThreads()
    queue.put(first)
    queue.put(second)
    start_scorers(1, OnceBad(), queue, threads)
    assert second.scores.result(timeout=5).tolist() == [[1, 1]]
    assert isinstance(first.scores.exception(0), ZeroDivisionError)
    queue.close()
    threads.join(5)


def test_as_many_calls_run_at_once_as_there_are_threads():
    both = threading.Barrier(2, timeout=5)

    class Meeting(MeanScorer):
        def score(self, windows):
            both.wait()
            return super().score(windows)

    assert scored(Meeting(), [group("a"), group("b")], num_threads=2) == [[[0, 1]], [[0, 1]]]
