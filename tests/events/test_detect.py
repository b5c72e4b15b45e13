from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.events.detect import detect_events
from cedtag.events.settings import EventSettings
from cedtag.labels.table import audioset
from cedtag.records import FileEnd, FileFailed, SoundEvent, Source, Tag, TagResult
from cedtag.results.read import read_results
from cedtag.writers import writer_type
from cedtag.writers.run_info import RunInfo

SOURCE = Source("a.wav", "a.wav", "a.wav")
MS = 16  # samples
PLAIN = EventSettings(onset=0.5, offset=0.3)


def tag(index: int, score: float) -> Tag:
    return Tag(index, audioset()[index].mid, audioset()[index].name, score)


def windows(
    *scores: float | dict[int, float], size: int = 1000, hop: int = 1000, last: int = 0, source: Source = SOURCE
) -> list[TagResult]:
    """Windows of `size` ms every `hop` ms, with the scores of Speech or of several classes; `last` is the end in ms."""
    found = []
    for index, one in enumerate(scores):
        by_class = one if isinstance(one, dict) else {0: one}
        stop = last if last and index == len(scores) - 1 else index * hop + size
        tags = sorted((tag(i, score) for i, score in by_class.items() if score), key=lambda t: (-t.score, t.index))
        found.append(TagResult(source, index, index * hop * MS, stop * MS, tuple(tags)))
    return found


def heard(results, settings=PLAIN) -> list[tuple[int, int, int, float, float]]:
    """The events in milliseconds: start, stop, class, peak, mean."""
    return [
        (e.start // MS, e.stop // MS, e.index, e.peak, e.mean)
        for e in detect_events(results, settings)
        if isinstance(e, SoundEvent)
    ]


def test_an_event_goes_from_the_onset_to_the_fall_below_the_offset():
    assert heard(windows(0.1, 0.4, 0.5, 0.3, 0.9, 0.29, 0.49, 0.7)) == [
        (2000, 5000, 0, 0.9, 0.5667),
        (7000, 8000, 0, 0.7, 0.7),
    ]


def test_windows_without_a_class_are_silent_for_it():
    assert heard(windows(0.9, 0, 0.8, {})) == [(0, 1000, 0, 0.9, 0.9), (2000, 3000, 0, 0.8, 0.8)]


def test_the_offset_is_half_the_onset_and_never_above_it():
    assert heard(windows(0.6, 0.3, 0.2999, 0.6), EventSettings(0.6)) == [
        (0, 2000, 0, 0.6, 0.45),
        (3000, 4000, 0, 0.6, 0.6),
    ]
    assert EventSettings(0.5, 0.4, onsets={1: 0.2}).offset_of(1) == 0.2


def test_classes_can_have_thresholds_of_their_own():
    settings = EventSettings(0.5, 0.3, onsets={1: 0.9}, offsets={1: 0.8})
    assert heard(windows({0: 0.5, 1: 0.8}, {0: 0.4, 1: 0.9}, {0: 0.4, 1: 0.8}, {1: 0.7}), settings) == [
        (0, 3000, 0, 0.5, 0.4333),
        (1000, 3000, 1, 0.9, 0.85),
    ]
    assert settings.lowest_offset == 0.3


def test_a_step_has_the_mean_score_of_the_windows_that_cover_it():
    # Steps of 1 s: 0, 0.25, 0.75, 0.75, 0.25, 0
    results = windows(0, 0.5, 1, 0.5, 0, size=2000, hop=1000)
    assert heard(results, EventSettings(0.75, 0.75)) == [(2000, 4000, 0, 0.75, 0.75)]
    assert heard(results, EventSettings(0.75, 0.25)) == [(2000, 5000, 0, 0.75, 0.5833)]


def test_a_shorter_last_window_speaks_only_for_what_no_other_covers():
    *_, last = results = windows(0.9, 0.8, 0, size=10_000, hop=10_000)
    results[-1] = replace(last, start=19_500 * MS, stop=20_500 * MS)
    assert heard(results) == [(0, 20_000, 0, 0.9, 0.85)]
    results[-1] = replace(results[-1], tags=(tag(0, 0.6),))
    assert heard(results) == [(0, 20_500, 0, 0.9, round((0.9 * 10 + 0.8 * 10 + 0.6 * 0.5) / 20.5, 4))]


def test_gaps_are_filled_and_then_short_events_are_left_out():
    results = windows(0.9, 0, 0.9, 0, 0, 0.9)
    assert heard(results, replace(PLAIN, min_duration_off_s=1.001)) == [
        (0, 3000, 0, 0.9, 0.6),
        (5000, 6000, 0, 0.9, 0.9),
    ]
    assert len(heard(results, replace(PLAIN, min_duration_off_s=1.0))) == 3
    assert heard(results, replace(PLAIN, min_duration_off_s=1.001, min_duration_on_s=1.001)) == [(0, 3000, 0, 0.9, 0.6)]


def test_pads_make_events_longer_but_not_beyond_the_recording_and_join_those_that_touch():
    results = windows(0.9, 0, 0.9, 0, 0, 0.9)
    assert heard(results, replace(PLAIN, pad_onset_s=0.4, pad_offset_s=0.6)) == [
        (0, 3600, 0, 0.9, 0.6),
        (4600, 6000, 0, 0.9, 0.9),
    ]
    assert len(heard(results, replace(PLAIN, pad_onset_s=0.4, pad_offset_s=0.599))) == 3


def test_events_come_by_start_and_then_by_class_and_then_the_outcome():
    results = windows({5: 0.9}, {5: 0.9, 3: 0.9}, {5: 0.9, 1: 0.9}, {4: 0.9, 2: 0.9}, {0: 0.8, 1: 0.8})
    end = FileEnd(SOURCE, 5000 * MS, 5)
    other = Source("b.wav", "b.wav", "b.wav")
    failed = FileFailed(other, "open", "b.wav: broken")
    found = list(detect_events([*results, end, failed], PLAIN))
    assert [(e.start // MS, e.index) for e in found if isinstance(e, SoundEvent)] == [
        (0, 5),
        (1000, 3),
        (2000, 1),
        (3000, 2),
        (3000, 4),
        (4000, 0),
        (4000, 1),
    ]
    assert found[-2:] == [end, failed]


def test_recordings_without_outcomes_are_told_apart():
    other = Source("b.wav", "b.wav", "b.wav")
    found = list(detect_events([*windows(0.9), *windows(0.8, source=other)], PLAIN))
    assert [(e.source.name, e.stop // MS, e.peak) for e in found] == [("a.wav", 1000, 0.9), ("b.wav", 1000, 0.8)]


def naive(results: list[TagResult], settings: EventSettings) -> list[tuple[int, int, int, float, float]]:
    """The same, millisecond by millisecond and class by class."""
    end = results[-1].stop // MS
    if len(results) > 1:
        before, last = results[-2:]
        hop = before.start - results[-3].start if len(results) > 2 else before.stop - before.start
        if last.start - before.start < hop or last.stop - last.start < before.stop - before.start:
            results = [*results[:-1], replace(last, start=max(last.start, before.stop))]
    found = []
    for index in range(3):
        line = [0] * end
        for ms in range(end):
            over = [r for r in results if r.start <= ms * MS < r.stop]
            scores = [round(next((t.score for t in r.tags if t.index == index), 0) * 10_000) for r in over]
            line[ms] = round(sum(scores) / len(scores)) if scores else 0
        active, runs = False, []
        for ms, score in enumerate(line):
            active = score / 10_000 >= (settings.offset_of(index) if active else settings.onset_of(index))
            if active and runs and runs[-1][1] == ms:
                runs[-1][1] = ms + 1
            elif active:
                runs.append([ms, ms + 1])
        pads = round(settings.pad_onset_s * 1000), round(settings.pad_offset_s * 1000)
        merged: list[list[int]] = []
        for start, stop in runs:
            gap = start - pads[0] - (merged[-1][1] + pads[1]) if merged else 0
            if merged and (gap <= 0 or gap < round(settings.min_duration_off_s * 1000)):
                merged[-1][1] = stop
            else:
                merged.append([start, stop])
        for start, stop in merged:
            padded = max(0, start - pads[0]), min(end, stop + pads[1])
            mean = round(sum(line[start:stop]) / (stop - start)) / 10_000
            if padded[1] - padded[0] >= round(settings.min_duration_on_s * 1000):
                found.append((*padded, index, max(line[start:stop]) / 10_000, mean))
    return sorted(found, key=lambda event: (event[0], event[2]))


some_scores = st.lists(
    st.dictionaries(st.integers(0, 2), st.sampled_from([0.1, 0.2, 0.35, 0.5, 0.6, 1.0]), max_size=3),
    min_size=1,
    max_size=14,
)
some_seconds = st.sampled_from([0.0, 0.005, 0.01, 0.02, 0.035])
some_settings = st.builds(
    EventSettings,
    st.sampled_from([0.3, 0.5]),
    st.sampled_from([None, 0.1, 0.25, 0.3]),
    some_seconds,
    some_seconds,
    some_seconds,
    some_seconds,
    st.sampled_from([{}, {1: 0.6}]),
)


@given(scores=some_scores, hop=st.sampled_from([20, 10, 7, 5]), settings=some_settings)
def test_events_are_those_of_every_millisecond_on_its_own(scores, hop, settings):
    results = windows(*scores, size=20, hop=hop)
    assert heard(results, settings) == naive(results, settings)


@run_with(max_examples=40)
@given(scores=some_scores, hop=st.sampled_from([20, 10, 7]), settings=some_settings, odd=st.integers(0, 15))
def test_events_from_rows_are_events_from_audio(tmp_path_factory, scores, hop, settings, odd):
    """The rows have milliseconds, the windows that they are made of have samples."""
    results = [
        replace(r, start=r.start + odd * r.index, stop=r.stop + odd * r.index)
        for r in windows(*scores, size=20, hop=hop)
    ]
    end = FileEnd(SOURCE, results[-1].stop, len(results))
    expected = as_csv(detect_events([*results, end], settings), settings)
    for name in ("json", "jsonl"):
        path = tmp_path_factory.mktemp("rows") / f"rows.{name}"
        with path.open("wb") as out:
            writer = writer_type(name)(out, RunInfo({}, ()))
            for result in [*results, end]:
                writer.write(result)
            writer.close()
        assert as_csv(detect_events(read_results(path)[1], settings), settings) == expected


def as_csv(results, settings: EventSettings) -> bytes:
    out = io.BytesIO()
    writer = writer_type("csv")(out, RunInfo({}, (), events=settings))
    for result in results:
        writer.write(result)
    writer.close()
    return out.getvalue()


def test_memory_does_not_grow_with_the_recording():
    def endless():
        for index in count():
            tags = (tag(0, 0.9), *((tag(1 + index % 5, 0.8),) if index % 7 else ()))
            yield TagResult(SOURCE, index, index * 8000, index * 8000 + 16_000, tags if index % 50 > 2 else ())

    found = detect_events(endless(), PLAIN)
    sum(1 for _ in islice(found, 20))
    tracemalloc.start()
    sum(1 for _ in islice(found, 100))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 20_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"onset": 0},
        {"onset": 1.1},
        {"onset": 0.3, "offset": 0.4},
        {"offset": 0},
        {"onsets": {1: 2.0}},
        {"offsets": {1: 0.0}},
        {"pad_onset_s": -1},
        {"min_duration_on_s": float("nan")},
    ],
)
def test_settings_that_cannot_be_meant_are_errors(wrong):
    with pytest.raises(InputError):
        EventSettings(**wrong)
