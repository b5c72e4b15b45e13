"""Parts written anew: without what does not count any more, or in listing order and of full size."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from cedtag.store.frames import COUNT
from cedtag.store.parts import PartFile, part_path, read_recordings, write_part
from cedtag.store.read import Store
from cedtag.store.row_groups import Group
from cedtag.store.schema import (
    EMBEDDING,
    RECORDINGS,
    ROWS_PER_GROUP,
    WINDOWS,
    block_type,
    recording_of,
)
from cedtag.store.write import WINDOWS_PER_PART, run_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.store.facts import StoreFacts
    from cedtag.store.row_groups import Block, WindowBatch
    from cedtag.store.schema import StoredRecording

    Records: TypeAlias = "NDArray[np.void]"
    Rewritten: TypeAlias = "tuple[str | None, list[str]]"  # the new part, and those in whose place it is


def without_superseded(path: Path, dropped: Collection[int] = ()) -> Iterator[Rewritten]:
    """Write the parts anew that hold what does not count any more, or recordings whose ids are `dropped`."""
    store = Store(path)
    for name, rows in store.counting_rows(dropped).items():
        part = PartFile(part_path(path, RECORDINGS, name))
        if len(rows) < part.num_rows:
            yield _rewrite(store, part, rows)


def compact(path: Path) -> Iterator[Rewritten]:
    """Write the whole store anew in listing order, in parts of full size, and remove the parts that were there.

    Until the last new part is there, the old ones count too, so that nothing is lost when it is stopped.
    """
    store = Store(path)
    before = store.part_names
    run, spans = run_name(max(before, default="")), list(_spans(store.sizes))
    for number, span in enumerate(spans, 1):
        name, instead_of = f"{run}-{number:06d}", before if number == len(spans) else []
        recordings = _placed_anew(map(store.stored_at, span))
        write_part(path, name, store.facts, _blocks(store.facts, _records_of(store, span)), recordings, instead_of)
        yield name, list(instead_of)
    for name in before:
        remove_part(path, name)


def remove_part(path: Path, name: str) -> None:
    """Remove a part: its outcomes first, without which its windows do not count."""
    for table in (RECORDINGS, WINDOWS):
        with suppress(FileNotFoundError):
            part_path(path, table, name).unlink()


def next_name(name: str) -> str:
    """The name of a part that is written anew, which comes right after its own."""
    base, _, number = name.partition("~")
    return f"{base}~{int(number or 0) + 1:04d}"


def _rewrite(store: Store, part: PartFile, rows: Collection[int]) -> Rewritten:
    """Write a part anew with these rows of its outcomes and their windows."""
    name, new = part.path.stem, None
    kept = [one for row, one in enumerate(map(recording_of, read_recordings(part))) if row in rows]
    if kept:
        new = next_name(name)
        wanted = np.array([one.id for one in kept if one.first_row is not None], np.int64)
        records = _blocks(store.facts, _records_in(store, name, wanted))
        write_part(store.path, new, store.facts, records, _placed_anew(kept), [name])
    remove_part(store.path, name)
    return new, [name]


def _placed_anew(recordings: Iterable[StoredRecording]) -> list[StoredRecording]:
    """The recordings with the rows that they get in a part that holds them alone."""
    placed, at = [], 0
    for one in recordings:
        placed.append(one if one.first_row is None else replace(one, first_row=at))
        at += one.num_windows if one.first_row is not None else 0
    return placed


def _spans(sizes: NDArray[np.int64]) -> Iterator[range]:
    """Recordings with these numbers of windows, as many as fill a part."""
    start = num_windows = 0
    for place, size in enumerate(sizes.tolist(), 1):
        num_windows += size
        if num_windows >= WINDOWS_PER_PART or place - start >= ROWS_PER_GROUP or place == len(sizes):
            yield range(start, place)
            start, num_windows = place, 0


def _records_of(store: Store, span: range) -> Iterator[Records]:
    """The windows of these recordings, in listing order."""
    kind, facts = block_type(store.facts), store.facts
    has = {"embeddings": facts.embedding_size is not None, "frames": facts.frames is not None}
    for place in span:
        own_id = store.stored_at(place).id
        for batch in store.windows_at(place, **has):
            yield _records(kind, np.full(len(batch.index), own_id), batch)


def _records_in(store: Store, name: str, ids: NDArray[np.int64]) -> Iterator[Records]:
    """The windows of these recordings in a part, by row groups."""
    if not len(ids):
        return
    file, kind = PartFile(part_path(store.path, WINDOWS, name)), block_type(store.facts)
    columns = store.columns(embeddings=store.embedding_size is not None, frames=store.facts.frames is not None)
    for number in range(len(file.group_starts) - 1):
        block = Group(file.read_group(number, columns)).block()
        records = _records(kind, block.ids, block)
        yield records[np.isin(block.ids, ids)]


def _records(kind: np.dtype[np.void], ids: NDArray[np.int64], windows: WindowBatch | Block) -> Records:
    records = np.zeros(len(ids), kind)
    records["id"], records["index"], records["channel"] = ids, windows.index, windows.channel
    records["start"], records["stop"], records["scores"] = windows.start, windows.stop, windows.scores
    if windows.embeddings is not None:
        records[EMBEDDING] = windows.embeddings
    if windows.frames is not None:
        records[COUNT] = [one.count for one in windows.frames]
        for record, one in zip(records, windows.frames, strict=True):
            record["frames"] = one.entries
    return records


def _blocks(facts: StoreFacts, pieces: Iterable[Records]) -> Iterator[Records]:
    """The same records in blocks of a row group each."""
    block, filled = np.zeros(ROWS_PER_GROUP, block_type(facts)), 0
    for piece in pieces:
        while len(piece):
            taken, piece = piece[: ROWS_PER_GROUP - filled], piece[ROWS_PER_GROUP - filled :]
            block[filled : filled + len(taken)] = taken
            filled += len(taken)
            if filled == ROWS_PER_GROUP:
                yield block
                filled = 0
    if filled:
        yield block[:filled]
