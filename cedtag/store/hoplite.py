"""A store in the layout of perch-hoplite: a SQLite database of recordings and windows, and a USearch index beside it.

Field by field as perch-hoplite 1.0 makes it (https://github.com/google-research/perch-hoplite), for its notebooks.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.errors import InputError
from cedtag.records import SAMPLE_RATE_HZ, Source, TimedSource
from cedtag.system.atomic import replacing, writing
from cedtag.system.destinations import OutputPath, check_outputs
from cedtag.system.extras import require
from cedtag.writers import storable

if TYPE_CHECKING:
    from cedtag.store.read import Store
    from cedtag.store.row_groups import WindowBatch

DATABASE, INDEX = "hoplite.sqlite", "usearch.index"
_EXPANSION_ADD, _EXPANSION_SEARCH = 256, 128
_TABLES = """
CREATE TABLE hoplite_metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, project TEXT NOT NULL, latitude REAL, longitude REAL,
    UNIQUE (name, project));
CREATE TABLE recordings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, filename TEXT NOT NULL, datetime TEXT,
    deployment_id INTEGER REFERENCES deployments(id) ON DELETE CASCADE,
    UNIQUE (id, deployment_id), UNIQUE (filename, deployment_id));
CREATE TABLE windows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recording_id INTEGER NOT NULL REFERENCES recordings(id) ON DELETE CASCADE, offsets FLOAT_LIST NOT NULL,
    UNIQUE (id, recording_id, offsets));
CREATE TABLE annotations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recording_id INTEGER NOT NULL REFERENCES recordings(id) ON DELETE CASCADE, offsets FLOAT_LIST NOT NULL,
    label TEXT NOT NULL, label_type INTEGER NOT NULL, provenance TEXT NOT NULL, UNIQUE (id, recording_id, offsets));
CREATE INDEX idx_annotations ON annotations(recording_id, offsets, label, label_type, provenance);
CREATE INDEX idx_labels ON annotations(label, label_type, provenance);
CREATE INDEX idx_recordings_deployment_id ON recordings(deployment_id);
CREATE INDEX idx_windows_recording_id ON windows(recording_id);
"""


def write_hoplite(store: Store, folder: Path, *, overwrite: bool = False) -> int:
    """Write the windows of a store with their embeddings to a folder as perch-hoplite has them; how many there are.

    InputError for a store without embeddings, OutputError where files exist, MissingPackageError without usearch.
    """
    require("hoplite", "perch-hoplite's index needs usearch")
    if store.embedding_size is None:
        raise InputError(f"{store.path}: holds no embeddings; tag again into a new store, without --no-embeddings")
    paths = [folder / DATABASE, folder / INDEX]
    check_outputs([OutputPath(path, "to") for path in paths], [str(store.path)], overwrite=overwrite)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(paths[0]) as database, replacing(paths[1]) as index:
            return _write(store, database, index)


def _write(store: Store, database: Path, index: Path) -> int:
    usearch: Any = import_module("usearch.index")
    vectors = usearch.Index(
        ndim=store.embedding_size,
        metric=usearch.MetricKind.IP,
        dtype=usearch.ScalarKind.F16,
        expansion_add=_EXPANSION_ADD,
        expansion_search=_EXPANSION_SEARCH,
    )
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(_TABLES)
        rows = _Rows(connection)
        for batch in store.windows((), embeddings=True):
            vectors.add(rows.add(batch), batch.embeddings)
        for key, value in _metadata(store, rows).items():
            connection.execute("INSERT INTO hoplite_metadata VALUES (?, ?)", (key, json.dumps(value)))
        connection.commit()
    vectors.save(str(index))
    return rows.num_windows


@dataclass(slots=True)
class _Rows:
    """The rows of a database, numbered from 1: a deployment for each folder or file that was named."""

    connection: sqlite3.Connection
    num_windows: int = 0
    deployments: dict[str, int] = field(default_factory=dict)
    _recording: tuple[Source | None, int] = (None, 0)

    def add(self, batch: WindowBatch) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Write the windows of a recording; their ids, which are the keys of their vectors."""
        if self._recording[0] != batch.source:
            self._recording = (batch.source, self._recording[1] + 1)
            self._add_recording(batch.source, self._recording[1])
        first = self.num_windows + 1
        self.num_windows += len(batch.start)
        keys = np.arange(first, self.num_windows + 1, dtype=np.int64)
        offsets = np.stack([batch.start, batch.stop], 1).astype("<f8") / SAMPLE_RATE_HZ
        values = ((key, self._recording[1], pair.tobytes()) for key, pair in zip(keys.tolist(), offsets, strict=True))
        self.connection.executemany("INSERT INTO windows VALUES (?, ?, ?)", values)
        return keys

    def _add_recording(self, source: Source, number: int) -> None:
        root = storable(source.root)
        if root not in self.deployments:
            self.deployments[root] = len(self.deployments) + 1
            place = (self.deployments[root], Path(root).name or root or ".", root or ".")
            self.connection.execute("INSERT INTO deployments (id, name, project) VALUES (?, ?, ?)", place)
        began = source.began if isinstance(source, TimedSource) else None
        row = (number, storable(source.relative), began or None, self.deployments[root])
        self.connection.execute("INSERT INTO recordings VALUES (?, ?, ?, ?)", row)


def _metadata(store: Store, rows: _Rows) -> dict[str, Any]:
    """What perch-hoplite's classes and notebooks ask of a database, and which model made the embeddings."""
    size, settings = store.embedding_size, store.settings
    return {
        "usearch_config": {
            "embedding_dim": size,
            "dtype": "float16",
            "metric_name": "IP",
            "expansion_add": _EXPANSION_ADD,
            "expansion_search": _EXPANSION_SEARCH,
        },
        "audio_sources": {
            "audio_globs": [
                {"dataset_name": root or ".", "base_path": root or ".", "file_glob": "**/*", "min_audio_len_s": 0.0}
                for root in rows.deployments
            ]
        },
        "model_config": {
            "model_key": "cedtag",
            "embedding_dim": size,
            "model_config": {
                **{name: settings.get(name) for name in ("model", "commit", "weights")},
                "window_size_s": settings.get("window"),
                "hop_size_s": settings.get("hop"),
                "sample_rate": SAMPLE_RATE_HZ,
            },
        },
    }
