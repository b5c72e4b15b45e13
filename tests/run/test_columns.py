from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.inputs.windows import sliding_windows
from cedtag.labels.selection import selector_of
from cedtag.labels.table import Label
from cedtag.labels.tag_filter import TagFilter
from cedtag.records import ScoredWindow, Source
from cedtag.run.columns import ColumnSelector, time_scores

SOURCE = Source("a", "a", "a")
LABELS = (Label(0, "/m/a", "A"), Label(1, "/m/b", "B"))
COLUMN = 2560


def selector(**wanted):
    return selector_of(LABELS, TagFilter(**{"threshold": 0.5, "top_k": 0} | wanted))


def windows_of(length, size, hop, active=lambda moment: 0.0):
    """The windows of a recording, with columns whose first class scores what is `active` in their middle."""
    for window in sliding_windows([np.zeros(length, np.float32)], SOURCE, size, hop):
        number = max(1, (len(window.samples) // 160 + 1) // 16)
        middles = window.start + COLUMN * (np.arange(number) + 0.5)
        columns = np.array([[active(middle), 0.001] for middle in middles], np.float32)
        yield ScoredWindow(SOURCE, window.index, window.start, window.stop, columns.max(0), columns=columns)


def rows_of(windows, size, hop, select=None):
    columns = ColumnSelector(select or selector(), size, hop, COLUMN)
    rows = [row for window in windows for row in columns.add(window)]
    return rows + list(columns.finish())


@given(
    length=st.integers(1_000, 300_000),
    size=st.integers(2_560, 50_000),
    share=st.floats(0.05, 1),
    spans=st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 40_000)), max_size=3),
)
def test_rows_follow_one_another_from_the_start_to_the_end(length, size, share, spans):
    def active(moment):
        return 0.9 * any(start <= moment < start + duration for start, duration in spans)

    hop = max(1, int(size * share))
    rows = rows_of(windows_of(length, size, hop, active), size, hop)
    assert [row.index for row in rows] == list(range(len(rows)))
    assert rows[0].start == 0
    assert rows[-1].stop == length
    assert all(before.stop == row.start < row.stop for before, row in pairwise(rows))
    assert all(row.stop - row.start < 2 * COLUMN for row in rows if row.tags)


def active_spans(rows):
    return [(row.start, row.stop) for row in rows if row.tags]


def test_columns_with_tags_are_rows_of_their_own_and_others_one_row():
    rows = rows_of(windows_of(160_000, 160_000, 160_000, lambda m: 0.9 * (40_960 <= m < 51_200)), 160_000, 160_000)
    assert [(row.start, row.stop) for row in rows] == [
        (0, 40_960),
        *((start, start + COLUMN) for start in range(40_960, 51_200, COLUMN)),
        (51_200, 160_000),
    ]


@pytest.mark.parametrize("hop", [160_000, 80_000, 33_333])
def test_overlapping_windows_have_the_edges_of_single_ones(hop):
    start, stop = 204_800, 320_000
    spans = active_spans(rows_of(windows_of(500_000, 160_000, hop, lambda m: 0.9 * (start <= m < stop)), 160_000, hop))
    assert abs(spans[0][0] - start) <= COLUMN
    assert abs(spans[-1][1] - stop) <= COLUMN


def test_a_moment_has_the_mean_over_the_windows_that_cover_it():
    def window(start, score):
        columns = np.full((4, 2), score, np.float32)
        return ScoredWindow(SOURCE, 0, start, start + 4 * COLUMN, columns[0], columns=columns)

    rows = rows_of([window(0, 0.9), window(2 * COLUMN, 0.6)], 4 * COLUMN, 2 * COLUMN)
    assert [row.tags[0].score for row in rows] == [0.9, 0.9, 0.75, 0.75, 0.6, 0.6]


def test_the_last_window_counts_only_where_the_one_before_ends():
    windows = list(windows_of(170_000, 160_000, 160_000))
    assert (windows[-1].start, windows[-1].stop) == (154_000, 170_000)
    windows[-1].columns[:, 0] = 0.9
    assert active_spans(rows_of(windows, 160_000, 160_000))[0][0] == 160_000


def test_where_a_window_has_no_scores_there_are_no_rows():
    first, _, third = windows_of(480_000, 160_000, 160_000)
    assert [(row.start, row.stop) for row in rows_of([first, third], 160_000, 160_000)] == [
        (0, 160_000),
        (320_000, 480_000),
    ]


def test_channels_have_rows_of_their_own():
    loud, soft = (next(windows_of(160_000, 160_000, 160_000, lambda m, s=score: s)) for score in (0.9, 0.1))
    columns = ColumnSelector(selector(), 160_000, 160_000, COLUMN)
    for number, window in enumerate((loud, soft), 1):
        scored = ScoredWindow(SOURCE, 0, 0, window.stop, window.probabilities, number, columns=window.columns)
        assert list(columns.add(scored)) == []
    rows = list(columns.finish())
    assert [(row.channel, row.index) for row in rows] == [*((1, index) for index in range(62)), (2, 0)]


def test_conditions_hold_for_columns():
    windows = list(windows_of(160_000, 160_000, 160_000, lambda m: 0.9 if m < 80_000 else 0.6))
    rows = rows_of(windows, 160_000, 160_000, selector(where="A > 0.8"))
    assert max(row.stop for row in rows if row.tags) < 100_000
    assert rows[-1].tags == ()


def test_time_scores_keep_what_lasts_and_lower_what_is_less_than_the_best_of_the_window():
    columns = np.full((20, 2), 0.7, np.float32)
    columns[8:12, 1] = 0.99
    scores = time_scores(columns)
    np.testing.assert_allclose(scores[:, 0], 0.7, atol=1e-6)
    np.testing.assert_allclose(scores[9:11, 1], 0.99, atol=1e-3)
    assert (scores[:7, 1] < 0.3).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_time_scores_of_what_is_sure_are_finite(value):
    scores = time_scores(np.full((1, 3), value, np.float32))
    np.testing.assert_allclose(scores, value, atol=1e-5)
