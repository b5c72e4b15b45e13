from __future__ import annotations

import threading
import time

import pytest

from cedtag.records import AlreadyDone, FileFailed, Skipped
from cedtag.run.pipeline.lister import Lister
from cedtag.run.pipeline.settings import LookAhead
from cedtag.run.pipeline.threads import WorkQueue
from tests.run.pipeline.fakes import source, wait_until

AHEAD = LookAhead(windows=1, groups=2, lanes=3)


def names(lanes) -> list[str]:
    return [lane.source.name for lane in lanes]


def waiting(queue: WorkQueue) -> list[str]:
    lanes = []
    while (lane := queue.get_waiting()) is not None:
        lanes.append(lane)
    return names(lanes)


def test_lanes_come_in_the_order_of_the_sources_and_recordings_go_to_the_decoders():
    given = [Skipped(source("a"), "a device"), source("b"), FileFailed(source("c"), "open", "c: gone")]
    to_decode = WorkQueue()
    lister = Lister(AHEAD, to_decode)
    lister.run(given)
    lanes = list(lister.lanes())
    assert names(lanes) == ["a", "b", "c"]
    assert waiting(to_decode) == ["b"]
    assert [lane.items.get_nowait() for lane in lanes if lane.source.name != "b"] == [given[0], given[2]]
    assert lanes[1].items.empty()


def test_no_more_lanes_are_listed_than_the_look_ahead_allows():
    listed = []

    def sources():
        for i in range(100):
            listed.append(i)
            yield source(str(i))

    lister = Lister(AHEAD, WorkQueue())
    thread = threading.Thread(target=lister.run, args=[sources()], daemon=True)
    thread.start()
    lanes = lister.lanes()
    for drained in range(5):
        next(lanes)
        # One more than there is room for has been taken from the sources, and waits.
        wait_until(lambda expected=AHEAD.lanes + drained + 1: len(listed) >= expected)
        time.sleep(0.02)
        assert len(listed) == AHEAD.lanes + drained + 1
    lister.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_a_lane_has_room_for_as_many_groups_as_the_look_ahead_allows():
    lister = Lister(AHEAD, WorkQueue())
    lister.run([source("a")])
    room = next(lister.lanes()).room
    assert [room.acquire(blocking=False) for _ in range(3)] == [True, True, False]


def test_an_exception_of_the_sources_is_raised_after_the_lanes_before_it():
    def sources():
        yield AlreadyDone(source("a"), "ok")
        raise ZeroDivisionError

    lister = Lister(AHEAD, WorkQueue())
    lister.run(sources())
    lanes = lister.lanes()
    assert next(lanes).source.name == "a"
    with pytest.raises(ZeroDivisionError):
        next(lanes)


def test_stopping_abandons_the_lanes_that_are_not_drained():
    lister = Lister(AHEAD, WorkQueue())
    lister.run([source("a"), source("b")])
    lanes = lister.lanes()
    drained, present = next(lanes), next(lanes)
    lister.stop()
    assert (drained.abandoned, present.abandoned) == (False, True)
