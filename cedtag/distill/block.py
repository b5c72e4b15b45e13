"""A block of stored views in a Parquet file: the same rows give the same bytes, whoever writes them."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.distill.views import Checksum, Clip
from cedtag.errors import InputError, MissingPackageError
from cedtag.system.extras import missing
from cedtag.writers import storable

try:
    import pyarrow
    from pyarrow import parquet
except ImportError as error:
    raise MissingPackageError(missing("distillation needs pyarrow", "parquet")) from error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

KEY = "cedtag"
DIGEST_BYTES, CHECKSUM_BYTES = 16, 20
# What is smallest, and depends on no default of pyarrow's.
_SETTINGS = {
    "compression": "zstd",
    "compression_level": 19,
    "use_dictionary": ["clip", "start", "end", "epoch", "seed", "size", "digest", "indices.list.element"],
    "write_statistics": False,
    "write_page_checksum": True,
    "store_schema": False,
}
_KINDS = {
    "clip": pyarrow.string(),
    "start": pyarrow.int64(),
    "end": pyarrow.int64(),
    "epoch": pyarrow.int16(),
    "seed": pyarrow.int64(),
    "indices": pyarrow.list_(pyarrow.int16()),
    "values": pyarrow.list_(pyarrow.float16()),
    "checksum": pyarrow.binary(CHECKSUM_BYTES),
    "size": pyarrow.int64(),
    "digest": pyarrow.binary(DIGEST_BYTES),
}
_STORED_BYTE = re.compile(r"\\(?:u(d[89a-f][0-9a-f]{2})|x5c)")


@dataclass(frozen=True, slots=True)
class Recording:
    """The file of a recording as it was when its clips were scored: its size, and the BLAKE2b of its content."""

    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class StoredClip:
    """A clip, its recording, the checksum of its first view, and the best classes of each view with their scores.

    `indices (epochs, k)` are int16 in ascending order, `values (epochs, k)` the probabilities of those as float16.
    """

    clip: Clip
    recording: Recording
    checksum: Checksum
    indices: NDArray[np.int16]
    values: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Block:
    """The clips of some consecutive recordings, and what is wrong with these.

    `failed` holds the stage of each recording that failed, and `partial` the cause of each that was cut short, as
    `FileFailed` and `FileEnd` have them; `left_out` says of clips why they are not there.
    """

    clips: list[StoredClip] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    partial: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def can_be_retried(self) -> bool:
        """Whether a recording failed, or was cut short by a cause that can pass."""
        return bool(self.failed or any(self.partial.values()))

    def status_of(self, name: str) -> str:
        """How a recording of the block ended: "ok", "partial" or "failed"."""
        return "failed" if name in self.failed else "partial" if name in self.partial else "ok"


def block_bytes(block: Block, *, store: str, seed: int, epochs: int, top_k: int) -> bytes:
    """The part that holds a block, for the store with this digest: a row per clip and epoch."""
    rows = [(one, epoch) for one in block.clips for epoch in range(epochs)]
    facts = {"store": store, "failed": block.failed, "partial": block.partial, "left_out": block.left_out}
    columns: dict[str, list[Any]] = {
        "clip": [storable(one.clip.name) for one, _ in rows],
        "start": [one.clip.start for one, _ in rows],
        "end": [one.clip.stop for one, _ in rows],
        "epoch": [epoch for _, epoch in rows],
        "seed": [seed] * len(rows),
        "indices": [one.indices[epoch] for one, epoch in rows],
        "values": [one.values[epoch] for one, epoch in rows],
        "checksum": [None if epoch else one.checksum.to_bytes() for one, epoch in rows],
        "size": [one.recording.size for one, _ in rows],
        "digest": [one.recording.digest for one, _ in rows],
    }
    lists = {name: pyarrow.list_(_KINDS[name].value_type, top_k) for name in ("indices", "values")}
    schema = pyarrow.schema(list((_KINDS | lists).items()))
    arrays = [pyarrow.array(columns[field.name], field.type) for field in schema]
    out = BytesIO()  # pyarrow makes errors of its own of those of a disk
    with parquet.ParquetWriter(out, schema, **_SETTINGS) as writer:
        writer.add_key_value_metadata({KEY: json.dumps(facts)})
        writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), max(1, len(rows)))
    return out.getvalue()


def read_block(path: Path, *, store: str, seed: int, epochs: int, num_classes: int, top_k: int) -> Block:
    """The block in a file; InputError for one that is damaged, altered, or of another store."""
    facts, columns = _read(path)
    if facts.get("store") != store:
        raise InputError(f"{path}: this part belongs to another store; remove it, and copy the parts of this one")
    try:
        return _block(facts, columns, seed=seed, epochs=epochs, num_classes=num_classes, top_k=top_k)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, str(error)) from error


def read_outcome(path: Path) -> Block:
    """A block without its clips: what was wrong with its recordings."""
    with _opened(path) as file:
        facts = _facts(file)
        return Block([], facts["failed"], facts["partial"], facts["left_out"])


def _block(
    facts: Mapping[str, Any], columns: Mapping[str, Any], *, seed: int, epochs: int, num_classes: int, top_k: int
) -> Block:
    names, starts, ends = columns["clip"], columns["start"], columns["end"]
    num_clips = len(names) // epochs
    shape = (num_clips, epochs, top_k)
    indices, values = columns["indices"].reshape(shape), columns["values"].reshape(shape)
    if any(one != seed for one in columns["seed"]):
        raise ValueError(f"a seed is not that of the store, {seed}")
    if None in columns["size"] or None in columns["digest"]:
        raise ValueError("a size or a digest is missing")
    if columns["epoch"] != list(range(epochs)) * num_clips:
        raise ValueError("epochs are missing or out of order")
    if indices.size and not (indices.min() >= 0 and indices.max() < num_classes and (np.diff(indices) > 0).all()):
        raise ValueError("an index is that of no class")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a value is no probability")
    clips = []
    for place in range(num_clips):
        row = place * epochs
        clip = Clip(_name(names[row]), starts[row], ends[row])
        if any(len(set(column[row : row + epochs])) > 1 for column in (names, starts, ends)):
            raise ValueError("epochs are missing or out of order")
        recording = Recording(columns["size"][row], columns["digest"][row])
        checksum = Checksum.from_bytes(columns["checksum"][row])
        clips.append(StoredClip(clip, recording, checksum, indices[place], values[place]))
    return Block(clips, facts["failed"], facts["partial"], facts["left_out"])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts of a part, and its columns: lists, or arrays of the numbers of all rows."""
    with _opened(path) as file:
        table = file.read()
        for name, kind in _KINDS.items():
            if table.schema.field(name).type != kind:
                raise ValueError(f"the column {name} is of another kind")
        columns = {}
        for name in table.column_names:
            column = table.column(name).combine_chunks()
            is_list = pyarrow.types.is_list(column.type)
            columns[name] = column.flatten().to_numpy() if is_list else column.to_pylist()
        return _facts(file), columns


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A Parquet file; whatever is wrong with it is an InputError."""
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pyarrow.ArrowException, KeyError, OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error


def _facts(file: Any) -> dict[str, Any]:
    return dict(json.loads((file.metadata.metadata or {})[KEY.encode()]))


def _name(stored: str) -> str:
    """The name that `storable` made this text of."""
    return _STORED_BYTE.sub(lambda match: chr(int(match[1], 16)) if match[1] else "\\", stored)


def _damaged(path: Path, why: str) -> InputError:
    reason = why.splitlines()[0] if why else "it cannot be read"
    return InputError(f"{path}: damaged or altered ({reason}); remove this part, and store it again")
