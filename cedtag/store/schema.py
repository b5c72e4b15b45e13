"""The columns of a store's parts, and the records of which they are made."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow

from cedtag.records import FileEnd, FileFailed, Source, TimedSource
from cedtag.store.frames import COUNT, FRAME_COLUMNS, frame_fields
from cedtag.writers import from_storable, storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cedtag.labels.table import Label
    from cedtag.store.facts import StoreFacts

WINDOWS, RECORDINGS = "windows", "recordings"  # the tables
ROWS_PER_GROUP = 16_384
EMBEDDING = "embedding"
FACTS = "cedtag"  # the key of the facts among the metadata of a part
WINDOW_COLUMNS = {
    "recording": pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
    "id": pyarrow.int64(),
    "window": pyarrow.int32(),
    "channel": pyarrow.int16(),
    "start_sample": pyarrow.int64(),
    "stop_sample": pyarrow.int64(),
}
RECORDING_COLUMNS = {
    "id": pyarrow.int64(),
    "recording": pyarrow.string(),
    "path": pyarrow.string(),
    "root": pyarrow.string(),
    "at": pyarrow.string(),
    "status": pyarrow.string(),
    "stage": pyarrow.string(),
    "error": pyarrow.string(),
    "samples": pyarrow.int64(),
    "windows": pyarrow.int32(),
    "problems": pyarrow.list_(pyarrow.string()),
    "warnings": pyarrow.list_(pyarrow.string()),
    "began": pyarrow.string(),
    "size": pyarrow.int64(),
    "mtime_ns": pyarrow.int64(),
    "head_hash": pyarrow.string(),
    "cause": pyarrow.string(),
    "traceback": pyarrow.string(),
    "first_row": pyarrow.int64(),
    "replaces": pyarrow.int64(),
}
_NAMES = ("recording", "path", "root", "at")  # which need not be UTF-8


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """The outcome of a recording, as a part holds it.

    Its windows begin at row `first_row` of the part; None where it has none there: it failed, or an outcome that was
    stored earlier is stated anew. `replaces` is the id of an earlier state of the recording.
    """

    id: int
    outcome: FileEnd | FileFailed
    head_hash: str = ""
    first_row: int | None = None
    replaces: int | None = None

    @property
    def num_windows(self) -> int:
        return self.outcome.num_windows if isinstance(self.outcome, FileEnd) else 0


def recording_id(source: Source, attempt: int = 0) -> int:
    """A number of 62 bits for a recording in this state of its file, the same in every run and shard."""
    place = source.at or source.name
    state = f"{place}\0{source.size}\0{source.mtime_ns}\0{attempt}"
    return int.from_bytes(blake2b(state.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 2


def class_columns(labels: Sequence[Label]) -> list[str]:
    """The name of each class's column: its label; with its MID or index where that is not enough to tell it apart."""
    names = [storable(label.name) for label in labels]
    taken = Counter([name.casefold() for name in [*names, *WINDOW_COLUMNS, EMBEDDING, *FRAME_COLUMNS]])
    mids = Counter(label.mid for label in labels)
    return [
        name
        if taken[name.casefold()] == 1
        else f"{name} ({label.mid if label.mid and mids[label.mid] == 1 else label.index})"
        for name, label in zip(names, labels, strict=True)
    ]


def window_schema(facts: StoreFacts) -> pyarrow.Schema:
    """The columns of windows: where each is, a score per class, and its embedding."""
    fields = [pyarrow.field(name, kind, nullable=False) for name, kind in WINDOW_COLUMNS.items()]
    fields += [pyarrow.field(name, pyarrow.uint16(), nullable=False) for name in class_columns(facts.labels)]
    if facts.frames is not None:
        fields += frame_fields()
    if facts.embedding_size is not None:
        fields.append(pyarrow.field(EMBEDDING, pyarrow.list_(pyarrow.float16(), facts.embedding_size), nullable=False))
    return pyarrow.schema(fields, _metadata(facts))


def recording_schema(facts: StoreFacts, instead_of: Sequence[str] = ()) -> pyarrow.Schema:
    """The columns of outcomes; `instead_of` are the names of parts whose rows are in this one now."""
    return pyarrow.schema(list(RECORDING_COLUMNS.items()), _metadata(facts, instead_of))


def _metadata(facts: StoreFacts, instead_of: Sequence[str] = ()) -> dict[str, str]:
    return {FACTS: json.dumps({**facts.to_dict(), "instead_of": list(instead_of)})}


def record_type(facts: StoreFacts) -> np.dtype[np.void]:
    """One window as bytes of a fixed number, as the unfinished part holds it."""
    fields: list[Any] = [("id", "<i8"), ("index", "<i4"), ("channel", "<i2"), ("start", "<i8"), ("stop", "<i8")]
    fields.append(("scores", "<u2", (len(facts.labels),)))
    if facts.embedding_size is not None:
        fields.append((EMBEDDING, "<f2", (facts.embedding_size,)))
    if facts.frames is not None:
        fields += [(COUNT, "<u2"), ("entries", "<u4")]
    return np.dtype(fields)


def block_type(facts: StoreFacts) -> np.dtype[np.void]:
    """The same in memory, with the entries of its frames."""
    kind = record_type(facts)
    return np.dtype([*((name, kind[name]) for name in kind.names or ()), ("frames", "O")]) if facts.frames else kind


def recording_row(one: StoredRecording) -> dict[str, Any]:
    """The values of a recording's columns."""
    outcome, source = one.outcome, one.outcome.source
    row: dict[str, Any] = {
        "id": one.id,
        "recording": source.name,
        "path": source.relative,
        "root": source.root,
        "at": source.at,
        "began": source.began if isinstance(source, TimedSource) else None,
        "size": source.size,
        "mtime_ns": source.mtime_ns,
        "head_hash": one.head_hash,
        "traceback": storable(outcome.traceback),
        "first_row": one.first_row,
        "replaces": one.replaces,
        "windows": one.num_windows,
    }
    row |= {name: storable(row[name]) for name in _NAMES}
    if isinstance(outcome, FileFailed):
        return row | {"status": "failed", "stage": outcome.stage, "error": storable(outcome.error)}
    said = {"problems": outcome.problems, "warnings": outcome.warnings}
    row |= {name: [storable(text) for text in texts] for name, texts in said.items()}
    return row | {"status": outcome.status, "samples": outcome.num_samples, "cause": outcome.cause}


def recording_of(row: Mapping[str, Any]) -> StoredRecording:
    """The recording of these values: the reverse of `recording_row`."""
    name, relative, root, at = (from_storable(row[name]) for name in _NAMES)
    fields = (name, name, relative, root, row["size"], row["mtime_ns"])
    source = Source(*fields, at=at) if row["began"] is None else TimedSource(*fields, row["began"], at=at)
    outcome: FileEnd | FileFailed
    if row["status"] == "failed":
        outcome = FileFailed(source, row["stage"], from_storable(row["error"]), from_storable(row["traceback"] or ""))
    else:
        problems, warnings = (tuple(map(from_storable, row[name] or ())) for name in ("problems", "warnings"))
        said = problems, warnings, row["cause"] or "", from_storable(row["traceback"] or "")
        outcome = FileEnd(source, row["samples"], row["windows"], *said)
    return StoredRecording(row["id"], outcome, row["head_hash"] or "", row["first_row"], row["replaces"])
