"""Rows made of a store are the rows of its windows one by one, however its row groups lie."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from pyarrow import parquet

from cedtag.errors import InputError
from cedtag.events.settings import EventSettings
from cedtag.labels.tag_filter import TagFilter
from cedtag.labels.tagged import TaggedWindows, one_by_one
from cedtag.records import SAMPLE_RATE_HZ, FileEnd
from cedtag.run.plan import scoring_at, selection_of
from cedtag.run.settings import RunSettings, Scoring
from cedtag.run.stored import rows_of_store
from cedtag.store import open_store
from tests.stores import FEW, make_store

HOP = 10 * SAMPLE_RATE_HZ


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The windows by recording of a store of two shards, whose recordings take turns in the order of listing."""
    monkeypatch.setattr("cedtag.store.write.ROWS_PER_GROUP", 7)
    monkeypatch.setattr("cedtag.store.row_groups._BLOCK", 3)
    first = make_store(tmp_path / "s", {f"{number}.wav": 1 + 3 * number for number in range(0, 8, 2)})
    second = make_store(tmp_path / "s", {f"{number}.wav": 1 + 3 * number for number in range(1, 8, 2)})
    files = [parquet.ParquetFile(path) for path in (tmp_path / "s" / "windows").iterdir()]
    assert len(files) == 2
    assert all(file.num_row_groups > 4 for file in files)
    return dict(sorted({**first, **second}.items()))


def scoring_for(window: int, settings: RunSettings) -> Scoring:
    return scoring_at(window, HOP, settings, FEW)


@pytest.mark.parametrize("window", [HOP, 2 * HOP])
@pytest.mark.parametrize("events", [None, EventSettings()])
@pytest.mark.parametrize("tags", [TagFilter(), TagFilter(threshold=0.6, labels=("Dog", "Rain"), top_k=1)])
def test_rows_are_those_of_a_run_without_a_store(made, tmp_path, window, events, tags):
    scoring = scoring_for(window, RunSettings(tags=tags, events=events))
    select = selection_of(scoring)
    expected = []
    for of_recording in made.values():
        for outcome in (*of_recording, FileEnd(of_recording[0].source, len(of_recording) * HOP, len(of_recording))):
            expected += select(outcome)
    store = open_store(tmp_path / "s")
    assert list(one_by_one(rows_of_store(store, scoring))) == expected
    with_tags = [one for one in expected if getattr(one, "tags", True)]
    found = [
        one for one in one_by_one(rows_of_store(store, scoring, shows_silence=False)) if getattr(one, "tags", True)
    ]
    assert found == with_tags


def test_rows_of_a_long_recording_come_in_pieces_that_do_not_grow_with_it(made, tmp_path, monkeypatch):
    monkeypatch.setattr("cedtag.store.row_groups._BLOCK", 16_384)
    monkeypatch.setattr("cedtag.run.stored._TAGS", 5)
    scoring = scoring_for(HOP, RunSettings(tags=TagFilter(threshold=0)))
    rows = rows_of_store(open_store(tmp_path / "s"), scoring)
    pieces = [one for one in rows if isinstance(one, TaggedWindows)]
    assert {len(one.tags.places) for one in pieces} == {4}  # of one window: two would have eight
    assert sum(map(len, pieces)) == sum(map(len, made.values()))


def test_scores_above_one_are_refused_with_the_name_of_the_part(made, tmp_path):
    part = sorted((tmp_path / "s" / "windows").iterdir())[0]
    table = parquet.read_table(part)
    place = table.column_names.index("Rain")
    wrong = np.full(len(table), 10_001, np.uint16)
    parquet.write_table(table.set_column(place, table.schema.field(place), [wrong]), part)
    with pytest.raises(InputError, match=f"{part.name}: holds scores above 1; restore"):
        list(rows_of_store(open_store(tmp_path / "s"), scoring_for(HOP, RunSettings())))
