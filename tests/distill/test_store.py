"""Stores of views, as they are written and read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from cedtag.distill.block import Block, Recording, StoredClip, block_bytes
from cedtag.distill.store import DistillStore, StoreFacts, open_store, part_name
from cedtag.distill.views import Checksum, Clip
from cedtag.errors import InputError, OutputError
from cedtag.model.front_end import FrontEnd

FACTS = StoreFacts(
    seed=3,
    epochs=2,
    top_k=2,
    chunk=160_000,
    classes=("Bark", "Speech", "own"),
    teachers=(("demo", "a" * 64),),
    front_end=FrontEnd(),
    device="cpu",
    precision="fp32",
    data="d" * 16,
    recordings=2,
    blocks=2,
)


def stored_clip(name="a/b.wav", start=0):
    return StoredClip(
        Clip(name, start, start + 80_000),
        Recording(1000, b"x" * 16),
        Checksum(7, (0.5, -0.25, 1.0, 0.0)),
        np.array([[0, 2], [1, 2]], np.int16),
        np.array([[0.5, 0.25], [1, 0]], np.float16),
    )


def written(block):
    return block_bytes(block, store=FACTS.digest, seed=3, epochs=2, top_k=2)


@pytest.fixture
def store(tmp_path):
    """The path of a store with one part of two clips, one of them with a name that is no text, and a failure."""
    with open_store(tmp_path / "store", FACTS) as folder, folder.writing_part(part_name(0)) as out:
        clips = [stored_clip(), stored_clip("\udcff\\u1234.wav", 80_000)]
        out.write(written(Block(clips, {"c.wav": "decode"}, {"d.wav": ""}, ["d.wav: 0.10 s"])))
    return tmp_path / "store"


def test_what_was_stored_is_read(store):
    found = DistillStore(store)
    assert found.facts == FACTS
    assert [label.mid for label in found.facts.labels] == ["/m/05tny_", "/m/09x0r", ""]
    assert found.missing_blocks == 1
    for one, other in zip(found.clips(), [stored_clip(), stored_clip("\udcff\\u1234.wav", 80_000)], strict=True):
        assert (one.clip, one.recording, one.checksum) == (other.clip, other.recording, other.checksum)
        assert one.indices.dtype == np.int16
        assert one.values.dtype == np.float16
        assert one.indices.tolist() == other.indices.tolist()
        assert one.values.tolist() == other.values.tolist()
    (outcome,) = found.outcomes()
    assert outcome == Block([], {"c.wav": "decode"}, {"d.wav": ""}, ["d.wav: 0.10 s"])
    assert [outcome.status_of(name) for name in ("a/b.wav", "c.wav", "d.wav")] == ["ok", "failed", "partial"]


def test_equal_rows_give_equal_bytes(store):
    block = DistillStore(store).block(store / part_name(0))
    assert written(block) == (store / part_name(0)).read_bytes()


def test_a_part_without_clips_can_be_read(tmp_path):
    with open_store(tmp_path / "store", FACTS) as folder, folder.writing_part(part_name(1)) as out:
        out.write(written(Block(left_out=["e.wav: empty"])))
    assert list(DistillStore(tmp_path / "store").clips()) == []


def altered(path, column, row, value):
    """Change one value of a part, as a tool for data frames would."""
    with parquet.ParquetFile(path) as file:
        table = file.read().replace_schema_metadata(file.metadata.metadata)
    values = table.column(column).to_pylist()
    values[row] = value
    place = table.column_names.index(column)
    parquet.write_table(table.set_column(place, column, pyarrow.array(values, table.schema.field(column).type)), path)


@pytest.mark.parametrize(
    ("column", "row", "value", "why"),
    [
        ("seed", 3, 4, "a seed"),
        ("epoch", 1, 0, "epochs"),
        ("clip", 1, "other.wav", "epochs"),
        ("start", 2, 7, "epochs"),
        ("indices", 0, [0, 3], "an index"),
        ("indices", 0, [2, 0], "an index"),
        ("indices", 0, [-1, 0], "an index"),
        ("values", 0, [0.5, 1.5], "a value"),
        ("values", 0, [0.5, float("nan")], "a value"),
        ("values", 0, [0.5], "cannot reshape"),
        ("checksum", 0, None, ""),
        ("digest", 0, None, ""),
    ],
)
def test_an_altered_part_is_refused(store, column, row, value, why):
    part = store / part_name(0)
    altered(part, column, row, value)
    with pytest.raises(InputError, match=rf"00000000.parquet: damaged or altered \({why}"):
        list(DistillStore(store).clips())


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_a_part_that_is_cut_is_refused(store, keep):
    part = store / part_name(0)
    part.write_bytes(part.read_bytes()[:keep])
    with pytest.raises(InputError, match="damaged or altered"):
        list(DistillStore(store).clips())
    with pytest.raises(InputError, match="damaged or altered"):
        list(DistillStore(store).outcomes())


def test_no_flipped_bit_becomes_another_number(store):
    part = store / part_name(0)
    data, clips = part.read_bytes(), list(map(repr, DistillStore(store).clips()))
    for place in range(0, len(data), 3):
        part.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        try:
            assert list(map(repr, DistillStore(store).clips())) == clips
        except InputError as error:
            assert str(part) in str(error)  # noqa: PT017 -- whether a bit matters is not known


def test_parts_of_another_store_are_refused(store):
    header = store / "store.json"
    header.write_text(header.read_text().replace('"seed": 3', '"seed": 4'))
    with pytest.raises(InputError, match="belongs to another store"):
        list(DistillStore(store).clips())


@pytest.mark.parametrize(
    "change", [('"seed": 3', '"seed": "x"'), ('"classes"', '"other"'), ('"n_fft": 512', '"n_fft": 7')]
)
def test_a_damaged_header_is_refused(store, change):
    header = store / "store.json"
    header.write_text(header.read_text().replace(*change))
    with pytest.raises(InputError, match="header of the store is damaged"):
        DistillStore(store)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": 4}, "`seed` was 3 and is now 4"),
        ({"epochs": 10}, "`epochs` was 2 and is now 10"),
        ({"chunk": 80_000}, "`chunk_s` was 10 and is now 5"),
        ({"teachers": (("tiny", "b" * 64),)}, "the teachers were others: demo"),
        ({"data": "e" * 16}, "the recordings were others"),
    ],
)
def test_other_settings_are_refused_in_words(store, change, sentence):
    with pytest.raises(OutputError, match=sentence):
        open_store(store, replace(FACTS, **change))


def test_a_teacher_whose_folder_was_moved_is_the_same(store):
    open_store(store, replace(FACTS, teachers=(("moved/demo", "a" * 64),))).close()
