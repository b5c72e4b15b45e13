"""`convert STORE -f hoplite`: what perch-hoplite's own classes read, where they are installed, and plain SQLite."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("usearch")

from cedtag.store import open_store
from tests.stores import FACTS, make_store


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "store", {"b.wav": 3, "a.wav": 2, "broken.wav": "damaged", "c.wav": 40}, parts=2)
    return tmp_path / "store"


def expected(store: Path) -> list[tuple[str, float, float, list[float]]]:
    """Recording, start and end in seconds, and embedding of each window."""
    return [
        (batch.source.relative, start / 16_000, stop / 16_000, embedding)
        for batch in open_store(store).windows((), embeddings=True)
        for start, stop, embedding in zip(
            batch.start.tolist(), batch.stop.tolist(), batch.embeddings.tolist(), strict=True
        )
    ]


def test_windows_and_embeddings_are_those_of_the_store(store, cedtag):
    finished = cedtag("convert", "store", "-f", "hoplite", "-o", "out")
    assert finished.code == 0, finished.stderr
    assert "out: 45 windows with their embeddings" in finished.stderr
    index = import_module("usearch.index").Index.restore("out/usearch.index")
    found = []
    with closing(sqlite3.connect("out/hoplite.sqlite")) as database:
        query = "SELECT windows.id, filename, offsets FROM windows JOIN recordings ON recording_id = recordings.id"
        for key, name, offsets in database.execute(f"{query} ORDER BY windows.id"):
            start, stop = np.frombuffer(offsets, "<f8").tolist()
            found.append((name, start, stop, np.asarray(index[key], np.float32).tolist()))
        (config,) = database.execute("SELECT value FROM hoplite_metadata WHERE key = 'usearch_config'").fetchone()
    assert found == expected(store)
    assert json.loads(config)["embedding_dim"] == FACTS.embedding_size


def test_the_package_itself_opens_what_was_written(store, cedtag):
    implementation = pytest.importorskip("perch_hoplite.db.sqlite_usearch_impl")
    assert cedtag("convert", "store", "-f", "hoplite", "-o", "out").code == 0
    database = implementation.SQLiteUSearchDB.create("out")
    found = []
    for key in database.match_window_ids():
        window = database.get_window(key)
        name = database.get_recording(window.recording_id).filename
        found.append((name, *window.offsets, database.get_embedding(key).astype(np.float32).tolist()))
    assert found == expected(store)
    assert database.get_metadata("model_config").embedding_dim == FACTS.embedding_size


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("store -f hoplite", "--format hoplite goes alone, to one folder: name it with --output"),
        ("store -f hoplite -f csv -o out", "--format hoplite goes alone"),
        ("rows.csv -f hoplite -o out", "rows.csv: hoplite holds embeddings; name one store"),
        ("store store -f hoplite -o out", "hoplite holds embeddings; name one store"),
        ("store -f hoplite -o out -t 0.5", "hoplite holds every window and no tags"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_sentence(line, sentence, store, cedtag):
    finished = cedtag("convert", *line.split())
    assert (finished.code, sentence in finished.stderr) == (2, True), finished.stderr
    assert not Path("out").exists()


def test_an_existing_database_is_only_replaced_with_overwrite(store, cedtag):
    assert cedtag("convert", "store", "-f", "hoplite", "-o", "out").code == 0
    again = cedtag("convert", "store", "-f", "hoplite", "-o", "out")
    assert (again.code, "use --overwrite" in again.stderr) == (1, True)
    assert cedtag("convert", "store", "-f", "hoplite", "-o", "out", "--overwrite").code == 0
