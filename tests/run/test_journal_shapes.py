"""A journal that is valid JSON and none that cedtag wrote is refused, whatever is done with it."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cedtag.errors import InputError, OutputError
from cedtag.labels.table import Label
from cedtag.records import FileEnd, FileFailed, Source, Tag, TagResult, TimedSource
from cedtag.results.read import read_results
from cedtag.run.journal.open import open_journal, read_journal
from cedtag.run.merging import joined_results, read_parts
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = RunInfo({"window": 10.0, "shard": None}, (Label(0, "/m/0", "Rain"), Label(1, "", "Hum")))
RUDE = st.one_of(
    st.sampled_from([None, True, -1, 1 << 80, 1.5, "", "x", "a\0b", "\udc80", "\ud800", [], {}, [[]], [None], "1e9"]),
    st.sampled_from([float("nan"), float("inf"), "0001-01-01T00:00:00+00:00", [1, 2], [0, 1, 2, 3]]),
)


@pytest.fixture(scope="module")
def journal(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("journals") / "a.csv.journal"
    with closing(open_journal(path, RUN)) as made:
        first = TimedSource("a.wav", "a.wav", "a.wav", "", 9, 9, "2024-05-01T05:30:00+02:00")
        made.add(TagResult(first, 0, 0, 16_000, (Tag(0, "/m/0", "Rain", 0.5), Tag(1, "", "Hum", 0.25))))
        made.add(TagResult(first, 1, 16_000, 32_000, ()))
        made.add(FileEnd(first, 32_000, 2, ("cut off",), ("quiet",)))
        made.add(FileFailed(Source("b.wav", "b.wav", "b.wav", "", 1, 1), "decode", "b.wav: no audio"))
        made.note_made({"shard": [1, 1], "files": []})
    return path


def places(value: object, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into a JSON value."""
    yield so_far
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from places(inner, (*so_far, key))


def changed(value: Any, place: tuple[Any, ...], new: object) -> Any:
    """The value with something else at a place; `...` takes away what is there."""
    if not place:
        return None if new is ... else new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(place) == 1 and new is ...:
        del copy[place[0]]
    else:
        copy[place[0]] = changed(copy[place[0]], place[1:], new)
    return copy


def sealed(records: list[Any]) -> bytes:
    """The lines of a journal with seals that fit."""
    text, rows_crc = b"", 0
    for record in records:
        line = json.dumps(record, separators=(",", ":")).encode()
        if line.startswith(b'{"end":'):
            body = line[:-1]
            line = b'%b,"crc":%d}' % (body, crc32(body, rows_crc))
        text += line + b"\n"
        rows_crc = crc32(line + b"\n", rows_crc) if line.startswith(b'{"row":') else 0
    return text


def use_all(path: Path) -> None:
    """Everything that is done with a journal."""
    run, results = read_journal(path)
    for result in results():
        str(result.source.name).encode("utf-8", "surrogateescape")
    list(read_results(path)[1])
    list(joined_results(read_parts([path])))
    with closing(open_journal(path, RUN)) as opened:
        list(opened.pending([Source("a.wav", "a.wav", "a.wav", "", 9, 9), Source("b.wav", "b.wav", "b.wav", "", 1, 1)]))
        list(opened.results())
    assert run.labels is not None


def test_the_journal_that_is_changed_here_can_be_used(journal):
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    for line in lines:
        line.pop("crc", None)
    assert sealed(lines) == journal.read_bytes()
    copy = journal.with_name("copy.journal")
    copy.write_bytes(journal.read_bytes())
    run, results = read_journal(copy)
    assert len(list(results())) == 4
    assert run.labels == RUN.labels


@settings(max_examples=400)
@given(data=st.data())
def test_a_journal_that_holds_something_else_is_refused(journal, data):
    records = [json.loads(line) for line in journal.read_bytes().splitlines()]
    for record in records:
        record.pop("crc", None)
    number = data.draw(st.integers(0, len(records) - 1))
    place = data.draw(st.sampled_from(list(places(records[number]))))
    records[number] = changed(records[number], place, data.draw(st.just(...) | RUDE))
    path = journal.with_name("changed.journal")
    path.write_bytes(sealed(records))
    with suppress(InputError, OutputError):
        use_all(path)


def test_a_billion_shards_that_are_missing_are_counted(tmp_path):
    with closing(open_journal(tmp_path / "a.journal", RUN)) as made:
        made.note_made({"shard": [2, 999_999_999]})
    with pytest.raises(InputError, match=r"999999999, 3/999999999, .* and 999999988 more"):
        read_parts([tmp_path / "a.journal"])


@pytest.mark.parametrize(
    "text",
    [
        b'{"journal":"cedtag-journal/1"}\n',
        b'{"journal":"cedtag-journal/1","settings":[],"since_ns":0,"labels":[]}\n',
        b'{"journal":' + b"[" * 200_000 + b"\n",
        b'{"journal":1e999}\n',
        b'{"journal":' + b"9" * 5000 + b"}\n",
        b'{"journal":"x","journal":null}\n',
    ],
)
def test_a_header_without_what_belongs_there_is_refused(tmp_path, text):
    path = tmp_path / "a.journal"
    path.write_bytes(text)
    with pytest.raises(OutputError, match=r"a\.journal: "):
        read_journal(path)
    with pytest.raises(OutputError, match=r"a\.journal: "):
        open_journal(path, RUN)
