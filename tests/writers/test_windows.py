"""Many windows at once leave the bytes that they leave one by one, which are those of the modules csv and json."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cedtag.labels.table import Label
from cedtag.labels.tagged import TagColumns, TaggedWindows, one_by_one
from cedtag.records import FileEnd, FileFailed, Source, TimedSource
from cedtag.results.count import Written
from cedtag.writers import write_to, writer_type
from cedtag.writers.run_info import RunInfo

LABELS = (
    Label(0, "/m/09x0r", "Speech"),
    Label(3, "", 'Dog "bark", <loud>'),
    Label(9, "/m/1", "tab\there"),
    Label(700, "/t/2", "=Lärm"),
)
NAMES = ("in/a b.wav", "in/ä,\udcff.wav", '"x".wav', "=1+1.wav", "c\td\ne.wav")
CLOCK = {"start-time": "name", "timezone": "UTC"}


@st.composite
def recordings(draw) -> list[TaggedWindows | FileEnd | FileFailed]:
    results: list[TaggedWindows | FileEnd | FileFailed] = []
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)):
        began = draw(st.sampled_from(["", "2024-05-01T05:30:00+02:00"]))
        source = TimedSource(name, name, name, began=began) if began else Source(name, name, name)
        if draw(st.integers(0, 4)) == 0:
            results.append(FileFailed(source, "open", f"{name}: no such file"))
            continue
        windows = draw(windows_of(source))
        results += [*windows.in_pieces(draw(st.integers(1, 5))), FileEnd(source, 16_000_000, len(windows))]
    return results


@st.composite
def windows_of(draw, source: Source) -> TaggedWindows:
    counts = draw(st.lists(st.integers(0, 3), max_size=9))
    starts = np.cumsum([0, *counts])
    one_of = st.tuples(st.integers(0, len(LABELS) - 1), st.sampled_from([0, 1, 999, 1000, 3333, 5000, 9999, 10_000]))
    tags = [draw(one_of) for _ in range(starts[-1])]
    places, scores = (np.array(column, np.uint16) for column in (zip(*tags, strict=True) if tags else ((), ())))
    index = np.arange(len(counts), dtype=np.int32)
    start = index.astype(np.int64) * draw(st.sampled_from([160_000, 1, 12_345]))
    channel = np.full(len(counts), draw(st.integers(0, 2)), np.int16)
    return TaggedWindows(source, index, start, start + 160_000, channel, TagColumns(starts, places, scores), LABELS)


@pytest.mark.parametrize("format_name", ["csv", "tsv", "spreadsheet", "jsonl", "json", "rttm"])
@given(recordings(), st.sampled_from(["long", "wide", "file"]), st.sampled_from([{}, CLOCK]), st.booleans())
@settings(max_examples=25)
def test_windows_at_once_leave_the_bytes_of_windows_one_by_one(format_name, results, layout, clock, each):
    run = RunInfo({**clock, **({"channel": "each"} if each else {})}, LABELS, layout)
    together, apart = io.BytesIO(), io.BytesIO()
    for out, some in ((together, results), (apart, list(one_by_one(results)))):
        writer = writer_type(format_name)(out, run)
        for result in some:
            write_to(writer, result)
        writer.close()
    assert together.getvalue() == apart.getvalue()


@given(recordings(), st.sampled_from([{}, CLOCK]))
@settings(max_examples=25)
def test_objects_are_those_that_json_makes_of_the_results(results, clock):
    out = io.BytesIO()
    writer = writer_type("jsonl")(out, RunInfo(clock, LABELS))
    for result in results:
        write_to(writer, result)
    lines = out.getvalue().decode("ascii").splitlines()[1:]
    assert [json.dumps(json.loads(line)) for line in lines] == lines
    rows = [json.loads(line) for line in lines]
    for row in rows:
        timed = row.pop("abs_start", None), row.pop("abs_end", None)
        assert all(timed) or not any(timed)
    assert rows == [result.to_dict() for result in one_by_one(results)]


@given(recordings())
@settings(max_examples=25)
def test_rows_are_read_back_as_they_were(results):
    out = io.BytesIO()
    writer = writer_type("csv")(out, RunInfo({}, LABELS))
    for result in results:
        write_to(writer, result)
    writer.close()
    text = out.getvalue().decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    expected = [
        (one["file"], one["start"], one["end"], rank, tag["index"], tag["mid"], tag["label"], tag["score"])
        for one in (result.to_dict() for result in one_by_one(results))
        for rank, tag in enumerate(one.get("tags", ()), 1)
    ]
    kinds = (str, float, float, int, int, str, str, float)
    assert [tuple(kind(field) for kind, field in zip(kinds, row.values(), strict=True)) for row in rows] == expected


@given(recordings())
def test_windows_at_once_count_as_they_do_one_by_one(results):
    together, apart = Written(), Written()
    for counts, some in ((together, results), (apart, list(one_by_one(results)))):
        assert list(counts.counted(some)) == some
    assert together == apart
