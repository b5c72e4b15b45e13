from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.inputs.windows import sliding_windows
from cedtag.records import SAMPLE_RATE_HZ, Source, Window

SOURCE = Source("a.wav", "a.wav", "a.wav")
SECOND = SAMPLE_RATE_HZ


def cut(blocks, size, hop) -> list[Window]:
    return list(sliding_windows(blocks, SOURCE, size, hop))


def spans(num_samples: int, size: int, hop: int) -> list[tuple[int, int]]:
    return [(w.start, w.stop) for w in cut([np.zeros(num_samples, np.float32)], size, hop)]


lengths = st.integers(1, 5 * SECOND)
hops = st.tuples(st.integers(2_560, 3 * SECOND), st.floats(0.05, 1)).map(lambda t: (t[0], max(1, int(t[0] * t[1]))))


@given(sizes=st.lists(st.integers(0, 30_000), min_size=1, max_size=8), size_and_hop=hops)
def test_windows_do_not_depend_on_block_sizes(sizes, size_and_hop):
    signal = np.arange(sum(sizes), dtype=np.float32)
    blocks = np.split(signal, np.cumsum(sizes)[:-1])
    pieces, whole = cut(blocks, *size_and_hop), cut([signal], *size_and_hop)
    assert [(w.index, w.start, w.stop) for w in pieces] == [(w.index, w.start, w.stop) for w in whole]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(pieces, whole, strict=True))


@given(num_samples=lengths, size_and_hop=hops)
def test_every_sample_is_in_a_window_and_none_ends_after_the_recording(num_samples, size_and_hop):
    size, hop = size_and_hop
    signal = np.arange(num_samples, dtype=np.float32)
    windows = cut([signal], size, hop)
    covered = np.zeros(num_samples, bool)
    for window in windows:
        assert window.stop <= num_samples
        assert np.array_equal(window.samples, signal[window.start : window.stop])
        covered[window.start : window.stop] = True
    assert covered.all()
    assert [w.index for w in windows] == list(range(len(windows)))
    assert all(len(w.samples) == size for w in windows[:-1])
    assert len(windows[-1].samples) >= min(size, SECOND, num_samples)


@pytest.mark.parametrize(
    ("num_samples", "expected"),
    [
        (10 * SECOND, [(0, 10 * SECOND)]),
        (12 * SECOND, [(0, 10 * SECOND), (10 * SECOND, 12 * SECOND)]),
        (10 * SECOND + 1, [(0, 10 * SECOND), (9 * SECOND + 1, 10 * SECOND + 1)]),
        (100, [(0, 100)]),
        (0, []),
    ],
    ids=["exact", "remainder", "short remainder starts earlier", "shorter than a window", "empty"],
)
def test_the_last_window_is_as_long_as_what_is_left(num_samples, expected):
    assert spans(num_samples, 10 * SECOND, 10 * SECOND) == expected


def test_a_remainder_inside_the_last_full_window_makes_no_window():
    assert spans(20, 10, 5) == [(0, 10), (5, 15), (10, 20)]


def test_a_window_comes_as_soon_as_it_is_full():
    def blocks():
        yield np.zeros(10, np.float32)
        raise AssertionError("the next block was asked for too early")

    assert next(sliding_windows(blocks(), SOURCE, 10, 10)).stop == 10
