from __future__ import annotations

import threading

import pytest

from cedtag.errors import AudioError
from cedtag.records import FileEnd, FileFailed
from cedtag.run.pipeline.decoders import LaneDecoder
from cedtag.run.pipeline.lane import WindowGroup
from cedtag.run.pipeline.threads import WorkQueue
from tests.run.pipeline.fakes import SETTINGS, SIZE, FakeRecording, lane, noise, source, wait_until


def decoder(recordings: dict[str, FakeRecording], to_score: WorkQueue | None = None, group_size: int = 2):
    return LaneDecoder(lambda source: recordings[source.path], SETTINGS, group_size, to_score or WorkQueue())


def items(of) -> list:
    """What is in a lane: groups as the indices of their windows."""
    found = []
    while not of.items.empty():
        item = of.items.get()
        found.append([window.index for window in item.windows] if isinstance(item, WindowGroup) else item)
    return found


def test_windows_are_grouped_and_the_recording_is_closed():
    recording = FakeRecording(noise(5 * SIZE), problems=["short"], warnings=["odd"])
    given, to_score = lane(), WorkQueue()
    end = decoder({"a": recording}, to_score).decode(given)
    assert end == FileEnd(source("a"), 5 * SIZE, 5, ("short",), ("odd",))
    assert len(to_score.get_waiting().windows) == 2
    assert items(given) == [[0, 1], [2, 3], [4]]
    assert recording.closed


def test_damage_after_the_first_windows_is_a_problem_and_before_them_a_failure():
    damaged = {name: FakeRecording(noise(n), error=AudioError("lost sync")) for name, n in (("a", SIZE), ("b", 0))}
    assert decoder(damaged, group_size=1).decode(lane("a")) == FileEnd(source("a"), SIZE, 1, ("lost sync",))
    assert decoder(damaged, group_size=1).decode(lane("b")) == FileFailed(source("b"), "decode", "lost sync")
    assert all(recording.closed for recording in damaged.values())


def test_a_recording_that_does_not_open_is_a_failure_of_that_stage():
    def refuse(_):
        raise AudioError("a: no audio", stage="open")

    found = LaneDecoder(refuse, SETTINGS, 1, WorkQueue()).decode(lane())
    assert found == FileFailed(source("a"), "open", "a: no audio")


def test_a_decoder_waits_for_room_in_the_lane():
    given = lane(groups=2)
    recording = FakeRecording(noise(9 * SIZE))
    thread = threading.Thread(target=decoder({"a": recording}, group_size=1).decode, args=[given], daemon=True)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    assert given.num_windows == 2
    given.abandon()
    thread.join(5)
    assert not thread.is_alive()
    assert given.num_windows == 2
    assert recording.closed


def test_one_decoder_serves_lane_after_lane_until_the_queue_is_closed():
    lanes = [lane("a"), lane("b"), lane("c")]
    queue = WorkQueue()
    for each in lanes[:2]:
        queue.put(each)
    broken = FakeRecording(noise(0), error=ZeroDivisionError())
    recordings = {"a": broken, "b": FakeRecording(noise(SIZE)), "c": FakeRecording(noise(SIZE))}
    thread = threading.Thread(target=decoder(recordings).run, args=[queue], daemon=True)
    thread.start()
    assert isinstance(lanes[0].items.get(timeout=5), ZeroDivisionError)
    assert isinstance(lanes[1].items.get(timeout=5), WindowGroup)
    assert lanes[1].items.get(timeout=5) == FileEnd(source("b"), SIZE, 1)
    queue.close()
    queue.put(lanes[2])
    thread.join(5)
    assert not thread.is_alive()
    assert lanes[2].items.empty()


@pytest.mark.parametrize("abandoned", [True, False])
def test_a_decoder_whose_lane_was_abandoned_takes_no_other(abandoned):
    hangs, other, queue = lane("hangs"), lane("b"), WorkQueue()
    queue.put(hangs)
    queue.put(other)
    recordings = {"hangs": FakeRecording(noise(0), hang=threading.Event()), "b": FakeRecording(noise(SIZE))}
    thread = threading.Thread(target=decoder(recordings).run, args=[queue], daemon=True)
    thread.start()
    wait_until(lambda: hangs.recording)
    if abandoned:
        hangs.abandon()
        thread.join(5)
        assert not thread.is_alive()
        assert other.items.empty()
    else:
        recordings["hangs"].hang.set()
        assert isinstance(other.items.get(timeout=5), WindowGroup)
    queue.close()


def test_a_lane_knows_how_long_its_decoder_has_been_silent():
    hangs = lane()
    recording = FakeRecording(noise(SIZE), hang=threading.Event())
    thread = threading.Thread(target=decoder({"a": recording}, group_size=1).decode, args=[hangs], daemon=True)
    assert hangs.waited_s() == 0
    thread.start()
    assert isinstance(hangs.items.get(timeout=5), WindowGroup)
    wait_until(lambda: hangs.waited_s() > 0.05)
    assert hangs.num_samples == SIZE
    recording.hang.set()
    thread.join(5)
    assert hangs.waited_s() == 0


def test_opening_a_recording_counts_as_silence_too():
    given, go_on = lane(), threading.Event()

    def hang(_):
        go_on.wait(20)
        return FakeRecording(noise(SIZE))

    thread = threading.Thread(target=LaneDecoder(hang, SETTINGS, 1, WorkQueue()).decode, args=[given], daemon=True)
    thread.start()
    wait_until(lambda: given.waited_s() > 0.05)
    go_on.set()
    thread.join(5)


def test_nothing_is_cut_out_of_what_comes_after_a_lane_was_abandoned():
    given = lane()
    given.abandoned = True
    blocks = iter([noise(SIZE), noise(SIZE)])
    assert list(given.watched(blocks)) == []
    assert given.num_samples == 0


def test_a_recording_that_is_abandoned_while_it_is_opened_is_closed_at_once():
    opening, may_open, given = threading.Event(), threading.Event(), lane()
    hanging = FakeRecording(noise(0), hang=threading.Event())

    def slow(_):
        opening.set()
        may_open.wait(5)
        return hanging

    thread = threading.Thread(target=LaneDecoder(slow, SETTINGS, 1, WorkQueue()).decode, args=[given], daemon=True)
    thread.start()
    opening.wait(5)
    given.abandon()
    may_open.set()
    thread.join(5)
    assert not thread.is_alive()
    assert hanging.closed
