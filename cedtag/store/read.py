"""A store, read: its outcomes, windows and embeddings, in the order of `cedtag tag` and with bounded memory."""

from __future__ import annotations

from bisect import bisect
from collections import OrderedDict
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from cedtag.errors import InputError
from cedtag.store import KIND
from cedtag.store.facts import facts_from_dict
from cedtag.store.frames import FRAME_COLUMNS
from cedtag.store.index import Entry, Index, index_of
from cedtag.store.open_part import has_open_part
from cedtag.store.parts import PartFile, part_path, read_recordings
from cedtag.store.row_groups import PLACE, RESTORE, Chosen, Group
from cedtag.store.schema import EMBEDDING, RECORDINGS, WINDOWS, class_columns, recording_of
from cedtag.system.part_folder import HEADER, read_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from cedtag.labels.table import Label
    from cedtag.records import FileEnd, FileFailed, Source
    from cedtag.store.facts import StoreFacts
    from cedtag.store.row_groups import Block, Choose, WindowBatch
    from cedtag.store.schema import StoredRecording

Value = TypeVar("Value")
_ENTRIES_AT_ONCE = 1024
_KEPT = 8  # row groups, so that as many shards can take turns


class Store:
    """A store of scores that is open for reading. Made by `open_store`.

    What a run that still goes on, or was stopped, has not made a part of yet is not seen; `is_unfinished` says so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: StoreFacts = facts_from_dict(path / HEADER, read_facts(path, KIND))
        self._groups: _Kept[Group] = _Kept(_KEPT)
        self._kinds: dict[Hashable, int] = {}  # of groups, by what was read of them
        self._files: _Kept[PartFile] = _Kept(2 * _KEPT)
        self._outcomes: _Kept[list[dict[str, Any]]] = _Kept(_KEPT)

    @property
    def labels(self) -> tuple[Label, ...]:
        """The classes of the model, in the order of the columns."""
        return self.facts.labels

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that decided the scores, by option name."""
        return self.facts.settings

    @property
    def embedding_size(self) -> int | None:
        """The length of an embedding; None where the store holds none."""
        return self.facts.embedding_size

    @property
    def written_by(self) -> tuple[Mapping[str, Any], ...]:
        """Which backends on which machines have computed, each once."""
        return tuple(self._index.makers)

    @property
    def is_unfinished(self) -> bool:
        """Whether there is a part that its run has not finished."""
        return has_open_part(self.path)

    @property
    def num_windows(self) -> int:
        """The number of windows of all recordings that count."""
        return int(self._index.entries["num_windows"].sum())

    def __len__(self) -> int:
        """The number of recordings that count, those that failed among them."""
        return len(self._index.entries)

    @property
    def ids(self) -> NDArray[np.int64]:
        """The ids of the recordings that count, in listing order."""
        return np.ascontiguousarray(self._index.entries["id"])

    def window_parts(self) -> list[PartFile]:
        """The parts with windows, older ones first; there may be windows among them that do not count any more."""
        numbers = (number for number, rows in enumerate(self._index.num_rows) if rows)
        return [self._file(WINDOWS, number) for number in numbers]

    def recordings(self) -> Iterator[FileEnd | FileFailed]:
        """How each recording ended, in listing order."""
        for one in self.stored():
            yield one.outcome

    def stored(self) -> Iterator[StoredRecording]:
        """The same with ids and hashes."""
        return map(self.stored_at, range(len(self)))

    @property
    def part_names(self) -> list[str]:
        """The names of the parts that count, older ones first."""
        return list(self._index.names)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of windows of each recording, in listing order."""
        return self._index.entries["num_windows"].astype(np.int64)

    def stored_at(self, place: int) -> StoredRecording:
        """The recording at a place of the listing; `first_row` is None where it has no windows."""
        entry = self._entry(place)
        return replace(self._stored(entry), first_row=entry.first_row if entry.num_windows else None, replaces=None)

    def windows_at(self, place: int, *, embeddings: bool = False, frames: bool = False) -> Iterator[WindowBatch]:
        """The windows of that recording."""
        entry, read = self._entry(place), self._reader(None, embeddings=embeddings, frames=frames)
        return self._windows_of(entry, self._stored(entry).outcome.source, read)

    def counting_rows(self, dropped: Collection[int] = ()) -> dict[str, set[int]]:
        """The rows of each part's outcomes that count, or know where windows are that do; not those `dropped`."""
        index, dropped = self._index, set(dropped)
        rows: dict[int, set[int]] = {number: set() for number in range(len(index.names))}
        for entry in self._entries():
            if entry.id not in dropped:
                rows[entry.part].add(entry.row)
                if entry.num_windows:
                    rows[entry.at_part].add(entry.at_row)
        return {index.names[number]: own for number, own in rows.items()}

    @property
    def num_by_status(self) -> dict[str, int]:
        """How many recordings ended how: "ok", "partial" or "failed"."""
        return dict(self._index.num_by_status)

    @property
    def num_samples(self) -> int:
        """The samples, at 16 kHz, of all recordings that count."""
        return self._index.num_samples

    def recording(self, id: int) -> FileEnd | FileFailed:
        """How the recording of this id ended; KeyError where none of that id counts."""
        place = np.searchsorted(self._index.ids, id)
        if place == len(self._index.ids) or self._index.ids[place] != id:
            raise KeyError(id)
        return self._stored(self._entry(int(self._index.by_id[place]))).outcome

    def windows(self, classes: Sequence[int] | None = None, *, embeddings: bool = False) -> Iterator[WindowBatch]:
        """The windows of all recordings, in listing order and in batches of one recording; memory is bounded.

        Of `classes`, places among the labels, alone if given, and then in that order.
        """
        read = self._reader(classes, embeddings=embeddings)
        for entry in self._entries():
            if entry.num_windows:
                yield from self._windows_of(entry, self._stored(entry).outcome.source, read)

    def results(
        self,
        classes: Sequence[int] | None = None,
        *,
        embeddings: bool = False,
        frames: bool = False,
        choose: Choose | None = None,
    ) -> Iterator[WindowBatch | FileEnd | FileFailed]:
        """The windows of each recording, and then its outcome, both with the same source.

        `choose` gets windows of many recordings at once, whether or not they count.
        """
        read = self._reader(classes, embeddings=embeddings, frames=frames, choose=choose)
        for entry in self._entries():
            outcome = self._stored(entry).outcome
            yield from self._windows_of(entry, outcome.source, read)
            yield outcome

    def blocks(self, classes: Sequence[int] = (), *, embeddings: bool = True) -> Iterator[Block]:
        """All windows that count in the order of the parts, a row group at a time: the fastest way through a store."""
        read = self._reader(classes, embeddings=embeddings)
        has_dead = self._index.has_dead
        for number in range(len(self._index.names)):
            if not self._index.num_rows[number]:
                continue
            file = self._file(WINDOWS, number)
            for group in range(len(file.group_starts) - 1):
                found = read(number, group)
                yield found.block(np.isin(found.ids, self._index.ids)) if has_dead else found.block()

    def _reader(
        self,
        classes: Sequence[int] | None,
        *,
        embeddings: bool,
        frames: bool = False,
        choose: Choose | None = None,
    ) -> Callable[[int, int], Group]:
        columns = self.columns(classes, embeddings=embeddings, frames=frames)

        def made(part: int, group: int) -> Group:
            file = self._file(WINDOWS, part)
            return Group(file.read_group(group, columns), None if choose is None else Chosen(choose, file.path))

        # Not the columns themselves, which take longer to compare than a short recording to read.
        kind = self._kinds.setdefault((columns, choose), len(self._kinds))
        return lambda part, group: self._groups.get((part, group, kind), lambda: made(part, group))

    def columns(
        self, classes: Sequence[int] | None = None, *, embeddings: bool = False, frames: bool = False
    ) -> tuple[str, ...]:
        """The columns in which windows lie, those of all classes or of these."""
        names = class_columns(self.labels)
        if embeddings and self.embedding_size is None:
            raise InputError(f"{self.path}: holds no embeddings; tag again into a new store, without --no-embeddings")
        chosen = names if classes is None else [names[place] for place in classes]
        if frames and self.facts.frames is None:
            raise InputError(f"{self.path}: holds no columns of tokens; tag again into a new store, with `frames`")
        return (*PLACE, *(FRAME_COLUMNS if frames else ()), *chosen, *([EMBEDDING] if embeddings else ()))

    def _windows_of(self, entry: Entry, source: Source, read: Callable[[int, int], Group]) -> Iterator[WindowBatch]:
        if not entry.num_windows:
            return
        file = self._file(WINDOWS, entry.at_part)
        first, last = entry.first_row, entry.first_row + entry.num_windows
        if last > file.num_rows:
            raise InputError(f"{file.path}: ends before the windows of {source.name}; {RESTORE}")
        group = bisect(file.group_starts, first) - 1
        while first < last:
            begin, end = file.group_starts[group : group + 2]
            found = read(entry.at_part, group)
            rows = slice(first - begin, min(last, end) - begin)
            if np.count_nonzero(found.ids[rows] != entry.id):
                raise InputError(f"{file.path}: holds other windows in the place of those of {source.name}; {RESTORE}")
            yield from found.batches(source, rows)
            if last >= end:  # what comes next in listing order is behind it
                self._groups.drop((entry.at_part, group))
            first, group = end, group + 1

    def _entries(self) -> Iterator[Entry]:
        entries = self._index.entries
        for first in range(0, len(entries), _ENTRIES_AT_ONCE):
            yield from map(Entry._make, entries[first : first + _ENTRIES_AT_ONCE].tolist())

    def _entry(self, number: int) -> Entry:
        return Entry(*self._index.entries[number].item())

    def _stored(self, entry: Entry) -> StoredRecording:
        rows = self._outcomes.get(entry.part, lambda: read_recordings(self._file(RECORDINGS, entry.part)))
        return recording_of(rows[entry.row])

    def _file(self, table: str, part: int) -> PartFile:
        def opened() -> PartFile:
            return PartFile(part_path(self.path, table, self._index.names[part]))

        return self._files.get((table, part), opened)

    @cached_property
    def _index(self) -> Index:
        return index_of(self.path, self.facts)


class _Kept(Generic[Value]):
    """What was made last, so that it is not made anew."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        while len(self._values) >= self._most:  # first, so that memory holds no more than that
            self._values.popitem(last=False)
        self._values[key] = make()
        return self._values[key]

    def drop(self, start: tuple[int, ...]) -> None:
        """Let go of what is kept under keys that begin so."""
        for key in [key for key in self._values if isinstance(key, tuple) and key[: len(start)] == start]:
            del self._values[key]
