"""Batches for actors: in order, a bounded number ahead, and nothing twice when an actor is lost."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from cedtag.records import FileEnd, FileFailed, ScoredWindow, Skipped, Source
from cedtag.run.on_ray.feed import MOST_DEATHS, MOST_RECORDINGS, Batch, Feed


def source(number: int, size: int = 1) -> Source:
    return Source(f"{number}.wav", f"{number}.wav", f"{number}.wav", size=size)


def window(of: Source, index: int) -> ScoredWindow:
    return ScoredWindow(of, index, index, index + 1, np.zeros(1, np.float32))


def filled(feed: Feed, sources: list) -> list[Batch]:
    feed.run(sources)
    return list(feed.batches())


def test_what_is_no_recording_stays_in_its_place():
    one, two, link = source(1), source(2), Skipped(source(3), "symbolic link")
    batch = Batch((one, link, two))
    assert batch.rest() == [one, two]
    window_of_one = window(one, 0)
    batch.add([window_of_one, FileEnd(one, 1, 1), FileEnd(two, 0, 0)])
    assert list(batch.drained()) == [window_of_one, FileEnd(one, 1, 1), link, FileEnd(two, 0, 0)]
    assert batch.rest() == []


def test_the_first_batches_are_single_and_later_ones_are_filled():
    batches = filled(Feed(actors=1, calls=2), [source(number) for number in range(20)])
    assert [len(batch.items) for batch in batches] == [1, 1, MOST_RECORDINGS, MOST_RECORDINGS, 2]
    assert [item.name for batch in batches for item in batch.items] == [f"{number}.wav" for number in range(20)]


def test_a_long_recording_is_asked_for_alone():
    batches = filled(Feed(actors=1, calls=0), [source(0), source(1, 10**9), source(2)])
    assert [len(batch.items) for batch in batches] == [2, 1]


def test_after_a_death_one_is_asked_for_at_a_time_from_where_it_was():
    one, two = source(1), source(2)
    batch = Batch((one, two))
    batch.add([window(one, 0), window(one, 1)])
    batch.lost("killed")
    assert batch.is_suspect
    assert (batch.rest(), batch.num_windows) == ([one], 2)
    batch.add([window(one, 2), FileEnd(one, 3, 3)])
    assert not batch.is_suspect
    assert (batch.rest(), batch.num_windows) == ([two], 0)


def test_a_recording_that_loses_every_actor_has_failed_and_costs_itself():
    one, two = source(1), source(2)
    batch = Batch((one, two))
    for _ in range(MOST_DEATHS):
        batch.lost("killed by the kernel")
    batch.add([FileEnd(two, 0, 0)])
    failed, end = batch.drained()
    assert isinstance(failed, FileFailed)
    assert failed.stage == "crash"
    assert failed.error == "1.wav: 3 actors were lost while they had it (killed by the kernel)"
    assert end.source == two


def test_windows_that_came_before_every_actor_was_lost_stay():
    one = source(1)
    batch = Batch((one,))
    batch.add([window(one, 0)])
    for _ in range(MOST_DEATHS):
        batch.lost("killed")
    first, end = batch.drained()
    assert first.index == 0
    assert isinstance(end, FileEnd)
    assert (end.num_windows, end.num_samples, end.cause) == (1, 1, "crash")
    assert end.problems == ("3 actors were lost while they had it (killed), after 1 window; the rest is missing",)


def test_the_batch_that_was_given_back_is_the_next():
    feed = Feed(actors=1, calls=8)
    feed.run([source(number) for number in range(3)])
    first = feed.take()
    feed.give_back(first)
    assert feed.take() is first


def test_listing_waits_for_what_is_drained():
    listed = 0

    def sources():
        nonlocal listed
        for listed in range(10_000):
            yield source(listed)

    feed = Feed(actors=1, calls=1)
    thread = threading.Thread(target=feed.run, args=(sources(),), daemon=True)
    thread.start()
    time.sleep(0.3)
    assert listed < 400
    feed.close()
    thread.join(5)
    assert not thread.is_alive()


def test_an_error_of_the_list_is_raised_after_what_came_before_it():
    def sources():
        yield source(1)
        raise OSError("gone")

    feed = Feed(actors=1, calls=1)
    feed.run(sources())
    batches = feed.batches()
    assert next(batches).items == (source(1),)
    with pytest.raises(OSError, match="gone"):
        next(batches)


def test_closing_lets_all_go_who_wait():
    feed = Feed(actors=1, calls=1)
    feed.run([source(1)])
    batch = feed.take()
    done = threading.Event()

    def work():
        for index in range(100):
            batch.add([window(source(1), index)])
            if feed.is_closed:
                break
        assert feed.take() is None
        done.set()

    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.1)
    assert not done.is_set()
    feed.close()
    assert done.wait(5)
