from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.labels.batches import BatchSelector
from cedtag.labels.selection import selector_of
from cedtag.labels.table import audioset
from cedtag.labels.tag_filter import TagFilter
from cedtag.labels.tagged import TaggedWindows, one_by_one
from cedtag.records import ScoredWindow, Source

LABELS = audioset()
SOURCE = Source("a", "a", "a")
NAMES = ["Dog", "Bark", "Animal", "Speech", "Siren", "Domestic animals, pets", "Music"]
names = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
scores = st.sampled_from([0, 0.05, 0.1, 0.3, 0.30004, 0.9999, 1])


@st.composite
def filters(draw) -> TagFilter:
    group = draw(st.booleans())
    wanted = TagFilter(
        labels=draw(names) or (("Dog",) if group else ()),
        watch=draw(names),
        threshold=draw(st.none() | scores),
        thresholds=draw(st.dictionaries(st.sampled_from(NAMES), scores, max_size=2)),
        top_k=draw(st.none() | st.integers(0, 4)),
        group=group,
        where=draw(st.sampled_from([None, "Dog > 0.3 or not Siren < 0.5", "Animal != 0.1234 and Music >= 0.2"])),
    )
    excluded = draw(names)
    if not set(wanted.labels) <= set(excluded):
        wanted = replace(wanted, exclude=() if group else excluded)
    if group:
        return wanted
    return replace(
        wanted, depth=None if wanted.labels else draw(st.none() | st.integers(1, 3)), most_specific=draw(st.booleans())
    )


@given(filters(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_many_windows_get_the_tags_that_each_of_them_gets(wanted: TagFilter, seed: int):
    rng = np.random.default_rng(seed)
    probabilities = (rng.random((40, len(LABELS))) ** 8).astype(np.float32)
    probabilities[::3] = probabilities[::3].round(1)  # equal scores, and those at thresholds
    probabilities[rng.random(len(probabilities)) < 0.5] *= np.float32(0.05)
    try:
        selector = selector_of(LABELS, wanted)
    except InputError:  # nothing is left
        return
    select = BatchSelector(selector)
    stored = np.rint(probabilities.astype(np.float64) * 10_000).astype(np.uint16)[:, select.classes]
    with patch("cedtag.labels.batches._AT_ONCE", 500):
        tags = select(np.asfortranarray(stored) if seed % 2 else stored)
    row = np.arange(len(probabilities))
    windows = TaggedWindows(SOURCE, row, row, row + 1, row * 0, tags, select.labels)
    expected = [selector(ScoredWindow(SOURCE, row, row, row + 1, values)) for row, values in enumerate(probabilities)]
    assert list(windows.results()) == expected
    assert list(one_by_one(windows.in_pieces(7))) == expected
    loud = np.flatnonzero([bool(one.tags) for one in expected])
    assert list(windows.without_silence(loud).results()) == [expected[at] for at in loud]
