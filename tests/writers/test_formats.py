"""Every format is read back with the reader that its users use, where one is installed."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.labels.table import Label
from cedtag.records import FileEnd, FileFailed, SoundEvent, Source, Tag, TagResult
from cedtag.results.read import read_results
from cedtag.writers import WRITERS, format_of, storable, suffix_of, writer_type
from cedtag.writers.run_info import RunInfo
from cedtag.writers.segments import Segment
from cedtag.writers.tiers import tiled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cedtag.records import Result

RUN = RunInfo({"model": "tiny"}, ())
SPEECH = Tag(0, "/m/09x0r", "Speech", 0.9123)
MAN = Tag(1, "/m/05zppz", "Male speech, man speaking", 0.5)
DOG = Tag(74, "/m/0bt9lr", 'Dog "bark" <loud>', 0.25)

A = Source("in/a b.wav", "in/a b.wav", "a b.wav")
B = Source("in/b.wav", "in/b.wav", "b.wav")
ONE: list[Result | SoundEvent] = [
    TagResult(A, 0, 0, 160_000, (SPEECH, MAN)),
    TagResult(A, 1, 160_000, 320_000, ()),
    TagResult(A, 2, 320_000, 345_678, (DOG,)),
    FileEnd(A, 345_678, 3),
]
TWO: list[Result | SoundEvent] = [
    *ONE,
    FileFailed(Source("in/c.wav", "in/c.wav", "c.wav"), "open", "in/c.wav: no such file"),
    TagResult(B, 0, 0, 16_000, (SPEECH,)),
    FileEnd(B, 16_000, 1, ("is cut off",)),
]
EVENTS: list[Result | SoundEvent] = [
    SoundEvent(A, 24_000, 48_008, 0, "/m/09x0r", "Speech", 0.9123, 0.6),
    FileEnd(A, 345_678, 3),
]


def written(format_name: str, results: Iterable[Result | SoundEvent], run: RunInfo = RUN) -> bytes:
    out = io.BytesIO()
    writer = writer_type(format_name)(out, run)
    for result in results:
        writer.write(result)
    writer.close()
    return out.getvalue()


def test_audacity_labels():
    assert written("audacity", ONE).decode() == (
        "0.000000\t10.000000\tSpeech 0.91\n"
        "0.000000\t10.000000\tMale speech, man speaking 0.50\n"
        '20.000000\t21.604000\tDog "bark" <loud> 0.25\n'
    )
    assert written("audacity", EVENTS) == b"1.500000\t3.000000\tSpeech 0.91\n"


@pytest.mark.parametrize("format_name", ["audacity", "srt", "vtt", "textgrid"])
def test_formats_of_one_recording_refuse_a_second(format_name):
    with pytest.raises(InputError, match=r"^in/b\.wav: .* one recording a file.* in/a b\.wav .* folder for `to`"):
        written(format_name, TWO)


@pytest.mark.parametrize("format_name", ["audacity", "srt", "vtt", "textgrid"])
def test_failed_recordings_do_not_count(format_name):
    written(format_name, [TWO[4], *ONE])


def test_raven_runs_on_over_the_recordings_in_columns_that_a_data_frame_takes():
    table = list(csv.DictReader(io.StringIO(written("raven", TWO).decode()), delimiter="\t"))

    assert list(table[0])[:9] == [
        "Selection",
        "View",
        "Channel",
        "Begin Time (s)",
        "End Time (s)",
        "Low Freq (Hz)",
        "High Freq (Hz)",
        "Begin Path",
        "File Offset (s)",
    ]
    assert list(table[3].values()) == [
        "4",
        "Spectrogram 1",
        "1",
        "21.604000",
        "22.604000",
        "0",
        "8000",
        "in/b.wav",
        "0.000000",
        "Speech",
        "0.9123",
    ]


def test_dcase_tables_are_read_by_pandas():
    pandas = pytest.importorskip("pandas")
    events = pandas.read_csv(io.BytesIO(written("dcase", TWO)), sep="\t")
    durations = pandas.read_csv(io.BytesIO(written("psds", TWO)), sep="\t")

    assert list(events.columns) == ["filename", "onset", "offset", "event_label"]
    assert list(events.itertuples(index=False, name=None)) == [
        ("in/a b.wav", 0.0, 10.0, "Speech"),
        ("in/a b.wav", 0.0, 10.0, "Male speech, man speaking"),
        ("in/a b.wav", 20.0, 21.604, 'Dog "bark" <loud>'),
        ("in/b.wav", 0.0, 1.0, "Speech"),
    ]
    assert list(durations.itertuples(index=False, name=None)) == [("in/a b.wav", 21.604), ("in/b.wav", 1.0)]


def test_dcase_tables_are_read_by_dcase_util(tmp_path):
    containers = pytest.importorskip("dcase_util.containers")
    path = tmp_path / "r.dcase.tsv"
    path.write_bytes(written("dcase", ONE))
    events = containers.MetaDataContainer().load(str(path), delimiter="\t")

    assert [(e.filename, e.onset, e.offset, e.event_label) for e in events][2] == (
        ("in/a b.wav", 20.0, 21.604, 'Dog "bark" <loud>')
    )


def test_rttm_has_ten_fields_without_blanks():
    lines = [line.split(" ") for line in written("rttm", TWO).decode().splitlines()]

    assert lines[1][:7] == ["SPEAKER", "in/a%20b.wav", "1", "0.000000", "10.000000", "<NA>", "<NA>"]
    assert lines[1][7:] == ["Male_speech,_man_speaking", "0.5000", "<NA>"]
    assert {len(line) for line in lines} == {10}


def test_srt_is_read_by_a_subrip_parser():
    srt = pytest.importorskip("srt")
    cues = list(srt.parse(written("srt", ONE).decode()))

    assert [(c.index, c.start.total_seconds(), c.end.total_seconds(), c.content) for c in cues] == [
        (1, 0.0, 10.0, "Speech 0.91\nMale speech, man speaking 0.50"),
        (2, 20.0, 21.604, 'Dog "bark" <loud> 0.25'),
    ]


def test_vtt_is_read_by_a_webvtt_parser():
    webvtt = pytest.importorskip("webvtt")
    text = written("vtt", ONE).decode()
    cues = list(webvtt.from_string(text))

    assert [(c.start, c.end, c.raw_text) for c in cues] == [
        ("00:00:00.000", "00:00:10.000", "Speech 0.91\nMale speech, man speaking 0.50"),
        ("00:00:20.000", "00:00:21.604", 'Dog "bark" &lt;loud&gt; 0.25'),
    ]
    assert text.startswith("WEBVTT\n\n")


def test_hours_go_on_behind_the_first_hundred():
    source = Source("a", "a", "a")
    late = SoundEvent(source, 16_000 * 366_061, 16_000 * 366_062 + 8_000, 0, "", "Speech", 0.5, 0.5)

    assert written("srt", [late]) == b"1\n101:41:01,000 --> 101:41:02,500\nSpeech 0.50\n\n"


def test_textgrid_is_read_by_praatio(tmp_path):
    textgrid = pytest.importorskip("praatio.textgrid")
    path = tmp_path / "a.TextGrid"
    path.write_bytes(written("textgrid", ONE))
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")

    assert grid.maxTimestamp == 21.604
    assert grid.tierNames == ("Speech", "Male speech, man speaking", 'Dog "bark" <loud>')
    assert [tuple(entry) for entry in grid.getTier("Speech").entries] == [(0, 10, "0.91"), (10, 21.604, "")]
    assert [tuple(entry) for entry in grid.getTier('Dog "bark" <loud>').entries] == [
        (0, 20, ""),
        (20, 21.604, "0.25"),
    ]


def test_a_textgrid_of_nothing_has_a_tier(tmp_path):
    textgrid = pytest.importorskip("praatio.textgrid")
    path = tmp_path / "a.TextGrid"
    path.write_bytes(written("textgrid", [FileEnd(A, 32_000, 1)]))
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")

    assert [tuple(entry) for entry in grid.getTier("(nothing)").entries] == [(0, 2, "")]


@given(starts=st.sets(st.integers(0, 90), max_size=6), length=st.integers(1, 40), num_samples=st.integers(100, 120))
def test_intervals_of_a_tier_tile_the_recording(starts, length, num_samples):
    intervals = list(tiled([Segment(start, start + length, "Speech", 0.5) for start in starts], num_samples))

    assert [start for start, _, _ in intervals] == [0, *(stop for _, stop, _ in intervals[:-1])]
    assert intervals[-1][1] == num_samples
    assert all(start < stop for start, stop, _ in intervals)
    covered = {n for start, stop, text in intervals if text for n in range(start, stop)}
    assert covered == {n for start in starts for n in range(start, min(start + length, num_samples))}


def test_sqlite_holds_rows_recordings_and_settings(tmp_path):
    path = tmp_path / "r.sqlite"
    path.write_bytes(written("sqlite", [*TWO, EVENTS[0]]))
    database = sqlite3.connect(path)

    assert database.execute("SELECT * FROM tags WHERE label = 'Speech' ORDER BY file").fetchall() == [
        ("in/a b.wav", 0.0, 10.0, 1, 0, "/m/09x0r", "Speech", 0.9123),
        ("in/b.wav", 0.0, 1.0, 1, 0, "/m/09x0r", "Speech", 0.9123),
    ]
    assert database.execute("SELECT * FROM events").fetchall() == [
        ("in/a b.wav", 1.5, 3.0, 0, "/m/09x0r", "Speech", 0.9123, 0.6)
    ]
    assert database.execute("SELECT * FROM recordings").fetchall() == [
        ("in/a b.wav", "ok", 21.604, "[]", "[]", None, None),
        ("in/c.wav", "failed", None, None, None, "open", "in/c.wav: no such file"),
        ("in/b.wav", "partial", 1.0, '["is cut off"]', "[]", None, None),
    ]
    assert json.loads(database.execute("SELECT value FROM run WHERE name = 'settings'").fetchone()[0]) == RUN.settings
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


@pytest.mark.parametrize("run", [RUN, replace(RUN, settings={"start-time": "auto", "channel": "each"})])
def test_sqlite_has_views_without_quotes_and_finds_files_and_classes_quickly(tmp_path, run):
    path = tmp_path / "r.sqlite"
    with path.open("wb") as out:
        writer = writer_type("sqlite")(out, run)
        for result in (*TWO, EVENTS[0]):
            writer.write(result)
        writer.close()
    database = sqlite3.connect(path)
    rows = database.execute("SELECT file, start_s, end_s, class_index, score FROM tag_rows WHERE label = 'Speech'")
    assert sorted(rows) == [("in/a b.wav", 0.0, 10.0, 0, 0.9123), ("in/b.wav", 0.0, 1.0, 0, 0.9123)]
    assert database.execute("SELECT start_s, class_index, peak FROM event_rows").fetchall() == [(1.5, 0, 0.9123)]
    for column in ("file", "label"):
        (plan,) = database.execute(f"EXPLAIN QUERY PLAN SELECT * FROM tag_rows WHERE {column} = 'x'")
        assert f"USING INDEX tags_of_{column}" in plan[-1]
    database.close()


def test_sqlite_leaves_no_file_beside_its_own(tmp_path):
    with (tmp_path / "r.part").open("wb") as out:
        writer = writer_type("sqlite")(out, RUN)
        assert list(tmp_path.iterdir()) == [tmp_path / "r.part"]
        writer.close()


def test_parquet_is_read_by_pyarrow_and_pandas():
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(written("parquet", TWO)))

    assert table.to_pylist()[1] == {
        "file": "in/a b.wav",
        "start": 0.0,
        "end": 10.0,
        "rank": 2,
        "index": 1,
        "mid": "/m/05zppz",
        "label": "Male speech, man speaking",
        "score": 0.5,
    }
    assert table.num_rows == 4
    assert json.loads(table.schema.metadata[b"cedtag"]) == RUN.to_dict()
    pandas = pytest.importorskip("pandas")
    assert pandas.read_parquet(io.BytesIO(written("parquet", TWO))).groupby("label").score.max()["Speech"] == 0.9123


def test_parquet_of_events_and_of_nothing():
    parquet = pytest.importorskip("pyarrow.parquet")

    assert parquet.read_table(io.BytesIO(written("parquet", EVENTS))).to_pylist() == [
        {
            "file": "in/a b.wav",
            "start": 1.5,
            "end": 3.0,
            "index": 0,
            "mid": "/m/09x0r",
            "label": "Speech",
            "peak": 0.9123,
            "mean": 0.6,
        }
    ]
    assert parquet.read_table(io.BytesIO(written("parquet", []))).num_rows == 0


def test_parquet_holds_one_row_group_at_a_time(monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("cedtag.writers.parquet.ROWS_PER_GROUP", 2)
    file = parquet.ParquetFile(io.BytesIO(written("parquet", TWO)))

    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [2, 2]


@pytest.mark.parametrize("format_name", ["audacity", "birdnet", "dcase", "psds", "raven", "rttm", "srt", "textgrid"])
def test_milliseconds_are_all_that_is_written(format_name):
    cut = [TagResult(A, 0, 16, 32, (SPEECH,)), FileEnd(A, 32_000, 1)]
    exact = [TagResult(A, 0, 31, 47, (SPEECH,)), FileEnd(A, 32_015, 1)]

    assert written(format_name, exact) == written(format_name, cut)


def test_birdnet_columns():
    assert written("birdnet", TWO).decode().splitlines()[:3] == [
        "Start (s),End (s),Scientific name,Common name,Confidence,File",
        "0.0,10.0,Speech,Speech,0.9123,in/a b.wav",
        '0.0,10.0,"Male speech, man speaking","Male speech, man speaking",0.5000,in/a b.wav',
    ]


ODD = Source("in/\udcff\t\n\u2028.wav", "in/\udcff\t\n\u2028.wav", "x.wav")
NEW = ["audacity", "birdnet", "dcase", "parquet", "psds", "raven", "rttm", "sqlite", "srt", "textgrid", "vtt"]


@pytest.mark.parametrize("format_name", NEW)
def test_any_name_can_be_written(format_name):
    if format_name == "parquet":
        pytest.importorskip("pyarrow")
    content = written(format_name, [TagResult(ODD, 0, 0, 16_000, (SPEECH,)), FileEnd(ODD, 16_000, 1)])

    if format_name in ("raven", "rttm", "audacity"):
        assert len(content.rstrip(b"\n").split(b"\n")) == (2 if format_name == "raven" else 1)


@pytest.mark.parametrize("format_name", [name for name in WRITERS if name != "audacity"])
def test_the_suffix_of_a_file_tells_its_format(format_name):
    assert format_of(PurePath("x.wav" + suffix_of(format_name))) == format_name
    assert format_of(PurePath("X.WAV" + suffix_of(format_name).upper())) == format_name


def test_suffixes_differ():
    assert len({suffix_of(name) for name in WRITERS}) == len(WRITERS)


def test_text_could_be_anything():
    with pytest.raises(InputError, match=r"labels\.txt: this suffix stands for no format .*; name one with `formats`"):
        format_of(Path("labels.txt"))


# Characters that some format escapes, and texts that look like an escape.
PIECES = (
    *(" ", "_", "\t", "\n", "\r", "\u2028", "%", "%20", "%5F", "%09", "%25", "%2520", "5", "0"),
    *("\\", "u", "x5c", "dcff", "\\udcff", "\\x5c", "\udcff", "a", '"', "&lt;", "<", ","),
)
ESCAPED = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)


@pytest.mark.parametrize("format_name", ["birdnet", "csv", "dcase", "psds", "raven", "rttm", "tsv"])
@given(one=ESCAPED, other=ESCAPED)
def test_two_names_never_become_one(format_name, one, other):
    def file(name: str) -> bytes:
        source = Source(name, name, name)
        return written(format_name, [TagResult(source, 0, 0, 16_000, (SPEECH,)), FileEnd(source, 16_000, 1)])

    assert (file(one) == file(other)) == (one == other)


@given(one=ESCAPED, other=ESCAPED)
def test_two_names_never_become_one_in_formats_of_utf_8(one, other):
    assert (storable(one) == storable(other)) == (one == other)
    assert storable(one).encode()


@pytest.mark.parametrize("format_name", ["audacity", "raven", "rttm", "srt", "textgrid", "vtt"])
@given(labels=st.lists(ESCAPED, min_size=2, max_size=4, unique=True))
def test_two_classes_never_become_one(format_name, labels):
    tags = [Tag(index, f"/m/{index}", label, 0.5) for index, label in enumerate(labels)]
    texts = []
    for tag in tags:  # every window has the classes before it too: what is written of them may depend on that
        rows = [TagResult(A, 0, 0, 16_000, tuple(tags)), TagResult(A, 1, 16_000, 32_000, (tag,))]
        texts.append(written(format_name, [*rows, FileEnd(A, 32_000, 2)]))
    assert len(set(texts)) == len(texts)


@given(name=ESCAPED)
def test_names_stay_in_their_field(name):
    source = Source(name, name, name)
    tag = Tag(0, "/m/0", name, 0.5)
    rows = [TagResult(source, 0, 0, 16_000, (tag,)), FileEnd(source, 16_000, 1)]
    (rttm,) = written("rttm", rows).decode("utf-8", "surrogateescape").splitlines()
    assert len(rttm.split()) == 10
    raven = written("raven", rows).split(b"\n")[1]
    assert len(raven.split(b"\t")) == 11
    text = io.StringIO(written("csv", rows).decode("utf-8", "surrogateescape"), newline="")
    assert list(csv.reader(text, strict=True))[1][0] == name


def test_plain_names_are_not_escaped():
    source = Source("in/a_b 100%.wav", "in/a_b 100%.wav", "x")
    rows = [TagResult(source, 0, 0, 16_000, (Tag(0, "/m/0", "Male speech", 0.5),)), FileEnd(source, 16_000, 1)]
    assert written("rttm", rows).split()[1] == b"in/a_b%20100%.wav"
    assert written("rttm", rows).split()[7] == b"Male_speech"
    assert written("raven", rows).split(b"\n")[1].split(b"\t")[7] == b"in/a_b 100%.wav"


HOSTILE = ["\x1b[31mDog", "Dog\x1b]0;title\x07", "\x9b2JDog", "Dog\x1b]52;c;AAAA\x1b\\", "\x08\x7f\u202eDog"]


@pytest.mark.parametrize("label", HOSTILE)
def test_a_table_shows_no_control_character_of_a_label_or_a_name(label):
    source = Source(label, label, label)
    event = SoundEvent(source, 0, 16_000, 0, "", label, 0.9, 0.5)
    shown = written("table", [TagResult(source, 0, 0, 16_000, (Tag(0, "", label, 0.5),)), event]).decode()
    assert [char for char in shown if not char.isprintable() and char != "\n"] == []
    assert shown.count("Dog") == 3


BREAKS = [
    "a\n\nb",
    "a\r\rb",
    "a\r\n\r\nb",
    "a\x0b\x0cb",
    "a\x85b",
    "a\u2028\u2029b",
    "a\0b",
    "a\n\n9\n00:00:01,000 --> 00:00:02,000\nb",
    "-->",
]


@pytest.mark.parametrize("format_name", ["srt", "vtt"])
@pytest.mark.parametrize("label", BREAKS)
def test_a_cue_is_whole_whatever_its_label_holds(format_name, label):
    results = [TagResult(A, 0, 0, 16_000, (Tag(0, "", label, 0.5), SPEECH)), TagResult(A, 1, 16_000, 32_000, (SPEECH,))]
    text = written(format_name, results).decode()
    lines = text.removeprefix("WEBVTT\n\n").splitlines()
    shape = [1 if "-->" in line else 0 if line else 2 for line in lines]
    number = [0] if format_name == "srt" else []
    assert shape == [*number, 1, 0, 0, 2, *number, 1, 0, 2]


FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "'=1", "\uff1d1", '=HYPERLINK("x")']


@pytest.mark.parametrize("text", FORMULAS)
def test_a_spreadsheet_gets_no_formula(text, tmp_path):
    source = Source(text, text, text)
    results = [TagResult(source, 0, 0, 16_000, (Tag(0, "", text, 0.5),))]
    for run in (RUN, RunInfo({}, (Label(0, "", text),), "wide")):
        content = written("spreadsheet", results, run).decode("utf-8-sig")
        header, row = csv.reader(io.StringIO(content, newline=""))
        found = [*header, *row]
        assert not [cell for cell in found if cell.startswith(tuple("=+-@\t\r\n\uff1d"))]
        assert [cell for cell in found if text in cell] == [f"'{text}"] * 2
    (tmp_path / "x.spreadsheet.csv").write_text(content, newline="")
    with pytest.raises(InputError, match="this is no header of cedtag's rows"):
        read_results(tmp_path / "x.spreadsheet.csv")[1].__next__()


@pytest.mark.parametrize("format_name", ["csv", "tsv", "spreadsheet", "birdnet", "dcase"])
@pytest.mark.parametrize("name", ["a\rb", "a\r\nb", "a\nb", 'a"\rb', "a,b\tc"])
def test_a_row_is_one_row_whatever_its_name_holds(format_name, name):
    result = TagResult(Source(name, name, name), 0, 0, 16_000, (Tag(0, "", name, 0.5),))
    text = io.StringIO(written(format_name, [result]).decode("utf-8-sig"), newline="")
    _, row = csv.reader(text, delimiter="\t" if format_name in ("tsv", "dcase") else ",")
    assert row.count(name) == (3 if format_name == "birdnet" else 2)


@pytest.mark.parametrize("format_name", ["csv", "tsv"])
@pytest.mark.parametrize("name", ["a\rb", "a\r\nb", "\r", "a\nb"])
def test_rows_of_a_name_with_an_end_of_line_are_read_back(format_name, name, tmp_path):
    results = [TagResult(Source(name, name, name), 0, 0, 16_000, (Tag(0, "/m/09x0r", "Speech", 0.5),))]
    (tmp_path / f"x.{format_name}").write_bytes(written(format_name, results))
    found = [one for one in read_results(tmp_path / f"x.{format_name}")[1] if isinstance(one, TagResult)]
    assert [(one.source.name, one.tags) for one in found] == [(name, results[0].tags)]


def test_other_cells_of_a_spreadsheet_are_those_of_csv():
    plain = written("csv", ONE).decode()
    assert written("spreadsheet", ONE).decode("utf-8-sig") == plain.replace("file,", "recording,", 1)
