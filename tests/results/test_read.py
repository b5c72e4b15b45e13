"""Results come back from files as they were written."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.labels.table import Label, audioset
from cedtag.records import FileEnd, FileFailed, SoundEvent, Source, Tag, TagResult
from cedtag.results.read import open_results, read_results
from cedtag.run.journal.open import open_journal
from cedtag.writers import writer_type
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cedtag.records import Result

RUN = RunInfo({"model": "tiny", "window": 10.0}, tuple(Label(c.index, c.mid, c.name) for c in audioset()))


def tag_of(index: int, score: float) -> Tag:
    label = audioset()[index]
    return Tag(index, label.mid, label.name, score)


def written(path: Path, results: Iterable[Result], run: RunInfo = RUN, *, format_name: str = "") -> Path:
    out = io.BytesIO()
    writer = writer_type(format_name or path.suffix.lstrip("."))(out, run)
    for result in results:
        writer.write(result)
    writer.close()
    path.write_bytes(out.getvalue())
    return path


def read(path: Path) -> list[Result | SoundEvent]:
    return list(read_results(path)[1])


def recording(name: str, *windows: tuple[Tag, ...]) -> list[Result]:
    """Windows of a second each, every half second; no two of them begin at once."""
    source = Source(name, name, name)
    results = [TagResult(source, i, i * 8000, i * 8000 + 16000, tags) for i, tags in enumerate(windows)]
    return [*results, FileEnd(source, max([16000, *(r.stop for r in results)]), len(windows))]


scores = st.integers(0, 10_000).map(lambda number: number / 10_000)
tag_sets = st.dictionaries(st.integers(0, 526), scores, min_size=1, max_size=4).map(
    lambda chosen: tuple(tag_of(i, s) for i, s in sorted(chosen.items(), key=lambda item: (-item[1], item[0])))
)
recordings = st.lists(st.lists(tag_sets, min_size=1, max_size=4), min_size=1, max_size=3).map(
    lambda several: [r for i, windows in enumerate(several) for r in recording(f"in, {i}/näme\udcff.wav", *windows)]
)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(results=recordings)
def test_what_was_written_comes_back(tmp_path, suffix, results):
    found = read(written(tmp_path / f"r.{suffix}", results))
    held = results if suffix in ("json", "jsonl") else in_a_table(results)

    assert [strip(result) for result in found] == [strip(result) for result in held]


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(results=recordings)
def test_wide_rows_come_back(tmp_path, suffix, results):
    wide = RunInfo(RUN.settings, RUN.labels, "wide")
    found = read(written(tmp_path / f"r.{suffix}", results, wide))

    assert [strip(result) for result in found] == [strip(result) for result in in_a_table(results)]


def in_a_table(results: Iterable[Result]) -> list[Result]:
    """What a table by itself holds of results."""
    return [result for result in results if not isinstance(result, FileEnd)]


def strip(result: Result | SoundEvent) -> tuple[type, str, dict[str, object]]:
    """A result with its source reduced to the name, which is what files carry."""
    name = result.source.name
    values = {field: getattr(result, field) for field in result.__slots__ if field != "source"}
    return type(result), name, values


def test_a_journal_comes_back_with_its_settings_and_labels(tmp_path):
    results = [*recording("a.wav", (tag_of(0, 0.5),), ()), FileFailed(Source("b", "b", "b"), "open", "b: no such file")]
    journal = open_journal(tmp_path / "r.csv.journal", RUN)
    for result in results:
        journal.add(result)
    journal.close()

    run, found = read_results(tmp_path / "r.csv.journal")

    assert run == RUN
    assert list(found) == results


def test_json_tells_settings_problems_and_failures(tmp_path):
    source = Source("a.wav", "a.wav", "a.wav")
    results = [
        TagResult(source, 0, 0, 16000, (tag_of(3, 0.25),)),
        FileEnd(source, 16000, 1, ("is cut off",), ("odd",)),
        FileFailed(Source("b", "b", "b"), "open", "b: no such file"),
    ]
    run, found = read_results(written(tmp_path / "r.json", results))

    assert run == RUN
    assert [strip(result) for result in found] == [strip(result) for result in results]


def test_times_come_back_cut_to_milliseconds(tmp_path):
    source = Source("a.wav", "a.wav", "a.wav")
    path = written(tmp_path / "r.csv", [TagResult(source, 0, 15, 16031, (tag_of(0, 1.0),))])

    assert [(r.start, r.stop) for r in read(path) if isinstance(r, TagResult)] == [(0, 16016)]


@pytest.mark.parametrize("format_name", ["csv", "tsv", "jsonl", "json"])
def test_the_contents_tell_the_format_where_the_suffix_does_not(tmp_path, format_name):
    results = recording("a.wav", (tag_of(0, 0.5),))
    path = written(tmp_path / "results", results, format_name=format_name)
    held = results if format_name in ("json", "jsonl") else in_a_table(results)

    assert [strip(result) for result in read(path)] == [strip(result) for result in held]


def test_rows_that_a_filter_left_are_windows_still(tmp_path):
    whole = written(tmp_path / "whole.csv", recording("a.wav", (tag_of(0, 0.9), tag_of(1, 0.5)), (tag_of(1, 0.4),)))
    lines = whole.read_text().splitlines()
    path = tmp_path / "r.csv"
    path.write_text("\n".join([lines[0], lines[2], lines[3]]) + "\n")

    assert [result.tags for result in read(path)] == [(tag_of(1, 0.5),), (tag_of(1, 0.4),)]


def test_a_spreadsheet_may_add_a_mark_and_carriage_returns(tmp_path):
    results = recording("a.wav", (tag_of(0, 0.5),))
    path = written(tmp_path / "r.csv", results)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    assert [strip(result) for result in read(path)] == [strip(result) for result in in_a_table(results)]


def test_columns_of_other_classes_are_counted_from_the_left(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("file,start,end,Wolf,Speech\na.wav,0.000,1.000,0.2000,0.7000\n")

    assert read(path)[0].tags == (Tag(1, "", "Speech", 0.7), Tag(0, "", "Wolf", 0.2))


HEADER = "file,start,end,rank,index,mid,label,score\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("r.csv", "a,b\n", "line 1: this is no header"),
        ("r.csv", "", "line 1: this is no header"),
        ("r.csv", HEADER + "a.wav,0,1,1,0,/m/1,Speech\n", "line 2: 7 fields where the header has 8"),
        ("r.csv", HEADER + "a.wav,0,1,1,0,/m/1,Speech,nan\n", "line 2: nan is no score from 0 to 1"),
        ("r.csv", HEADER + "a.wav,2,1,1,0,/m/1,Speech,0.5\n", "line 2: it ends (1) before it starts (2)"),
        ("r.csv", HEADER + "a,1,2,1,0,m,S,0.5\na,0,1,1,0,m,S,0.5\n", "line 3: this row is earlier"),
        ("r.csv", HEADER + "a,0,1,1,0,m,S,0.5\nb,0,1,1,0,m,S,0.5\na,1,2,1,0,m,S,0.5\n", "line 4: rows of a stand"),
        ("r.csv", HEADER + 'a,0,1,1,0,m,"S,0.5\n', "line 2: unexpected end of data"),
        ("r.jsonl", '{"file": "a", "start": 0, "end": 1, "tags": []}\n{"file": "a"}\n', "line 2: 'start' is missing"),
        ("r.jsonl", "[]\n", "line 1: "),
        ("r.jsonl", "{\n", "line 1: "),
        ("r.json", '{"schema": "cedtag/9"}', "its schema is 'cedtag/9', not 'cedtag/1'"),
        ("r.json", "{}", "'schema' is missing"),
        ("r.json", "[1]", ""),
        ("notes", "hello\n", "these are no results that can be read back"),
        ("r.journal", "hello\n", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: {said}")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read \\(No such file"):
        read_results(tmp_path / "r.csv")


def test_the_journal_of_a_folder_holds_no_rows(tmp_path):
    open_journal(tmp_path / ".cedtag.run.journal", RunInfo({"layout": "long"}, RUN.labels)).close()

    with pytest.raises(InputError, match="holds no rows"):
        read(tmp_path / ".cedtag.run.journal")


EVENT = SoundEvent(Source("a.wav", "a.wav", "a.wav"), 16000, 48000, 0, "/m/09x0r", "Speech", 0.9, 0.6)


def test_events_come_back_from_columns(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("file,start,end,index,mid,label,peak,mean\na.wav,1.000,3.000,0,/m/09x0r,Speech,0.9000,0.6000\n")

    assert [strip(result) for result in read(path)] == [strip(EVENT)]


def test_events_come_back_from_objects(tmp_path):
    event = {"index": 0, "mid": "/m/09x0r", "label": "Speech", "peak": 0.9, "mean": 0.6}
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({"file": "a.wav", "start": 1.0, "end": 3.0, **event}) + "\n")

    assert [strip(result) for result in read(path)] == [strip(EVENT)]


def facts(results: Iterable[Result]) -> list[tuple[str, object]]:
    """What happened to each recording, and where its windows were, to the millisecond."""
    return [
        (one.source.name, (one.start // 16, one.stop // 16, one.tags))
        if isinstance(one, TagResult)
        else (one.source.name, one.to_dict())
        for one in results
    ]


outcomes = st.sampled_from(["ok", "partial", "failed"])
archives = st.lists(
    st.tuples(outcomes, st.lists(st.one_of(st.just(()), tag_sets), max_size=4), st.integers(0, 400)),
    min_size=1,
    max_size=5,
)


def archive_of(drawn: list[tuple[str, list[tuple[Tag, ...]], int]]) -> list[Result]:
    """Recordings of any outcome, with windows without tags, and a length that no row has."""
    results: list[Result] = []
    for number, (outcome, windows, extra) in enumerate(drawn):
        source = Source(f"in/{number}\udcff.wav", f"in/{number}\udcff.wav", f"{number}\udcff.wav", "in")
        if outcome == "failed":
            results.append(FileFailed(source, "decode", "is broken"))
            continue
        results += [TagResult(source, i, i * 16_000, (i + 1) * 16_000, tags) for i, tags in enumerate(windows)]
        problems = ("cut off",) if outcome == "partial" else ()
        results.append(FileEnd(source, len(windows) * 16_000 + extra * 160, len(windows), problems))
    return results


def with_journal(path: Path, results: Iterable[Result]) -> Path:
    journal = open_journal(path.with_name(path.name + ".journal"), RUN, fresh=True)
    for result in results:
        journal.add(result)
    journal.close()
    return path


@pytest.mark.parametrize("layout", ["long", "wide"])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(drawn=archives)
def test_equal_facts_come_back_from_every_format_of_a_run(tmp_path, suffix, layout, drawn):
    results = archive_of(drawn)
    path = written(tmp_path / f"r.{suffix}", results, RunInfo(RUN.settings, RUN.labels, layout))
    run, found = read_results(with_journal(path, results))

    assert facts(found) == facts(results)
    assert run == RUN


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(drawn=archives)
def test_without_the_journal_facts_come_back_or_are_known_to_be_missing(tmp_path, suffix, drawn):
    results = archive_of(drawn)
    file = open_results(written(tmp_path / f"alone.{suffix}", results))
    found = list(file.results())

    if suffix in ("json", "jsonl"):
        assert facts(found) == facts(results)
        return
    assert not any(isinstance(result, FileEnd | FileFailed) for result in found)
    assert (file.has_ends, file.has_windows) == (False, False)
    with pytest.raises(InputError, match="use json, jsonl or the journal"):
        file.require_ends("this")


def test_an_edited_table_keeps_the_facts_of_its_journal(tmp_path):
    results = [*recording("a.wav", (tag_of(0, 0.9),), (tag_of(1, 0.4),)), *recording("b.wav", (tag_of(2, 0.5),))]
    path = with_journal(written(tmp_path / "r.csv", results), results)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0] + ",checked", lines[3] + ",yes", lines[2] + ",no"]) + "\n")

    found = list(read_results(path)[1])

    assert [r.tags for r in found if isinstance(r, TagResult) and r.source.name == "a.wav"] == [(), (tag_of(1, 0.4),)]
    assert sorted(r.source.name for r in found if isinstance(r, FileEnd)) == ["a.wav", "b.wav"]


def test_rows_that_the_journal_beside_them_does_not_know_are_refused(tmp_path):
    path = with_journal(written(tmp_path / "r.csv", recording("b.wav", (tag_of(0, 0.9),))), recording("a.wav", ()))

    with pytest.raises(InputError, match=r"b\.wav is not in the journal beside it"):
        read(path)


def test_lines_without_the_outcome_of_a_recording_were_cut_off(tmp_path):
    path = written(tmp_path / "r.jsonl", [*recording("a.wav", ()), *recording("b.wav", ())])
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match=r"the outcome of b\.wav is missing at its end"):
        read(path)
    path.write_text("".join([*lines[:2], *lines[3:]]))
    with pytest.raises(InputError, match=r"line 3: the outcome of a\.wav is missing"):
        read(path)


def test_columns_of_a_wide_table_have_indices_from_its_journal_alone(tmp_path):
    wide = RunInfo(RUN.settings, RUN.labels[5:8], "wide")
    tag = tag_of(6, 0.5)
    results = recording("a.wav", (tag,))
    path = written(tmp_path / "r.csv", results, wide)

    assert not open_results(path).has_classes
    with pytest.raises(InputError, match="names of classes without index"):
        open_results(path).require_classes("this")
    journal = open_journal(tmp_path / "r.csv.journal", wide)
    for result in results:
        journal.add(result)
    journal.close()
    assert read(path)[0].tags == (tag,)


def test_classes_other_than_audioset_stand_in_the_head(tmp_path):
    own = RunInfo({"model": "mine"}, (Label(0, "", "Wolf"), Label(1, "/m/09x0r", "Speech")))
    for suffix in ("json", "jsonl"):
        path = written(tmp_path / f"r.{suffix}", recording("a.wav", ()), own)
        assert read_results(path)[0] == own
        assert b'"classes": [[0, "", "Wolf"], [1, "/m/09x0r", "Speech"]]' in path.read_bytes()
        assert b'"classes": "AudioSet"' in written(tmp_path / f"s.{suffix}", recording("a.wav", ())).read_bytes()


SPEECH_TAG = {"index": 0, "mid": "/m/09x0r", "label": "Speech", "score": 0.9}


@pytest.mark.parametrize(
    ("file", "tag"),
    [
        ("\ud800.wav", {}),
        ("a\0.wav", {}),
        ("a.wav", {"label": "\ud800"}),
        ("a.wav", {"mid": "\udfff\ud800"}),
        ("a.wav", {"index": 10**30}),
        ("a.wav", {"index": 2**31}),
    ],
)
def test_what_no_file_can_hold_is_refused_where_it_is_read(tmp_path, file, tag):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({"file": file, "start": 0, "end": 1, "tags": [SPEECH_TAG | tag]}) + "\n")
    with pytest.raises(InputError, match=r"line 1: .* is no "):
        read(path)


@pytest.mark.parametrize("format_name", ["parquet", "sqlite"])
def test_bytes_that_are_not_utf_8_can_stand_in_a_database(tmp_path, format_name):
    name = "caf\udce9"
    source, tag = Source(name, name, name), Tag(0, name, name, 0.5)
    results = [TagResult(source, 0, 0, 16000, (tag,)), FileEnd(source, 16000, 1), FileFailed(source, "open", name)]
    path = tmp_path / "r"
    with path.open("wb") as out:
        writer = writer_type(format_name)(out, RUN)
        for result in results:
            writer.write(result)
        writer.close()
    assert b"caf\\udce9" in path.read_bytes()
