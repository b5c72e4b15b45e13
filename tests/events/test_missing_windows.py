from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.events.detect import detect_events
from cedtag.events.missing_windows import with_silent_windows
from cedtag.events.settings import EventSettings
from cedtag.inputs.windows import SHORTEST_REMAINDER
from cedtag.records import FileEnd, SoundEvent, Source, Tag, TagResult

TAG = (Tag(0, "/m/09x0r", "Speech", 0.9),)
QUIET = (Tag(0, "/m/09x0r", "Speech", 0.4),)


def recording(name: str, num_samples: int, size: int, tags: list[tuple[Tag, ...]]) -> list[TagResult]:
    """The windows of a recording one after another, with times cut to milliseconds as rows have them."""
    source, starts = Source(name, name, name), list(range(0, num_samples, size))
    found = []
    for index, start in enumerate(starts):
        stop = min(start + size, num_samples)
        begin = max(0, min(start, stop - min(size, SHORTEST_REMAINDER)))
        found.append(TagResult(source, index, begin // 16 * 16, stop // 16 * 16, tags[index % len(tags)]))
    return found


def spans(results) -> list[tuple[str, int, int, float]]:
    return [(e.source.name, e.start, e.stop, e.mean) for e in results if isinstance(e, SoundEvent)]


@run_with(max_examples=60)
@given(
    lengths=st.lists(st.integers(16, 300_000), min_size=1, max_size=3),
    size=st.sampled_from([160_000, 32_000, 33_333, 16_000, 5_333]),
    tags=st.lists(st.sampled_from([TAG, QUIET, ()]), min_size=1, max_size=7),
    settings=st.builds(EventSettings, st.just(0.5), st.just(0.3), st.sampled_from([0.0, 1.5]), st.just(2.0)),
)
def test_events_of_a_table_are_those_of_all_windows(lengths, size, tags, settings):
    # Of windows of a second and less, two can have the same times in milliseconds.
    assume(size > SHORTEST_REMAINDER or all(n % size >= 32 or n <= size for n in lengths))
    complete = [r for i, n in enumerate(lengths) for r in recording(f"{i}.wav", n, size, tags)]
    table = [result for result in complete if result.tags]
    filled = list(with_silent_windows(table, size / 16_000))
    assert [result for result in filled if result.tags] == table
    assert spans(detect_events(filled, settings)) == spans(detect_events(complete, settings))


def test_what_is_no_window_passes():
    end = FileEnd(Source("a", "a", "a"), 160_000, 1)
    assert list(with_silent_windows([end], 10)) == [end]


@pytest.mark.parametrize(
    "spans_ms",
    [
        [(0, 10_000), (5_000, 15_000)],
        [(5_000, 10_000)],
        [(0, 11_000)],
        [(10_000, 20_000), (21_000, 31_000)],
        [(0, 5_000), (10_000, 15_000)],  # of 5 s, and only the last may be shorter
    ],
)
def test_windows_that_do_not_follow_each_other_are_refused(spans_ms):
    source = Source("a.wav", "a.wav", "a.wav")
    table = [TagResult(source, 0, start * 16, stop * 16, TAG) for start, stop in spans_ms]
    with pytest.raises(InputError, match=r"a\.wav: the window from .* give their length with `window_s`"):
        list(with_silent_windows(table, 10))
