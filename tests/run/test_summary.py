from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.records import AlreadyDone, FileEnd, FileFailed, Skipped, Source
from cedtag.run.summary import Summary, duration

SOURCE = Source("a", "a", "a")
EVENTS = st.one_of(
    st.builds(FileEnd, st.just(SOURCE), st.integers(0, 10**6), st.integers(0, 9), st.sampled_from([(), ("cut off",)])),
    st.just(FileFailed(SOURCE, "decode", "no audio")),
    st.just(Skipped(SOURCE, "a device")),
    st.builds(AlreadyDone, st.just(SOURCE), st.sampled_from(["ok", "partial", "failed"])),
)


@given(st.lists(EVENTS))
def test_every_recording_is_counted_once(events):
    summary = Summary()
    for event in events:
        summary.count(event)
    counts = summary.to_dict()
    assert counts["found"] == len(events)
    assert counts["found"] == counts["done"] + counts["partial"] + counts["failed"] + counts["skipped"]
    assert summary.recordings == sum(not isinstance(event, Skipped) for event in events)


@given(st.lists(EVENTS))
def test_a_run_is_as_complete_when_its_recordings_were_done_earlier(events):
    first, second = Summary(), Summary()
    for event in events:
        first.count(event)
        is_recording = isinstance(event, FileEnd | FileFailed)
        second.count(AlreadyDone(SOURCE, getattr(event, "status", "failed")) if is_recording else event)
    assert first.all_complete == second.all_complete


DONE, CUT = FileEnd(SOURCE, 160_000, 1), FileEnd(SOURCE, 160_000, 1, ("cut off",))
FAILED = FileFailed(SOURCE, "decode", "no audio")


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([DONE], "1 recording done; 1 window, 10.0 s of audio in "),
        (
            [DONE, CUT, FAILED, Skipped(SOURCE, "a device")],
            "1 recording done, 1 partial, 1 failed, 1 skipped; 2 windows, 20.0 s",
        ),
        ([FAILED, FAILED], "2 recordings failed"),
        ([AlreadyDone(SOURCE, "ok")] * 3, "3 recordings done earlier; nothing was left to do"),
        (
            [AlreadyDone(SOURCE, "ok"), AlreadyDone(SOURCE, "partial"), AlreadyDone(SOURCE, "failed")],
            "1 recording done earlier, 1 partial earlier, 1 failed earlier; nothing was left to do",
        ),
        ([DONE, AlreadyDone(SOURCE, "ok")], "1 recording done, 1 done earlier; 1 window, 10.0 s of audio in "),
        ([], "0 recordings done"),
    ],
)
def test_the_sentence_holds_what_is_not_zero_and_speed_only_where_something_was_scored(events, text):
    summary = Summary()
    for event in events:
        summary.count(event)
    assert summary.sentence().startswith(text)
    assert summary.sentence().endswith("x realtime") == any(isinstance(event, FileEnd) for event in events)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.21, "3.2 s"), (59.94, "59.9 s"), (245, "4 min 05 s"), (3600, "1 h 00 min"), (93_780, "26 h 03 min")],
)
def test_durations_are_told_in_the_units_of_their_size(seconds, text):
    assert duration(seconds) == text
