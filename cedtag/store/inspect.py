"""What a store holds, and what of it is damaged."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.errors import InputError
from cedtag.records import SAMPLE_RATE_HZ
from cedtag.store import KIND
from cedtag.store.facts import facts_from_dict
from cedtag.store.open_part import open_parts
from cedtag.store.parts import PartFile, part_path, read_recordings
from cedtag.store.read import Store
from cedtag.store.schema import RECORDINGS, WINDOWS, window_schema
from cedtag.system.part_folder import HEADER, parts_of, read_facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cedtag.store.facts import StoreFacts

_TABLES = (RECORDINGS, WINDOWS)


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """Counts of what a store holds: of recordings by status, and of hours of audio and bytes on the disk.

    `open_parts` is the number of parts that a run has not finished, and of which nothing is counted.
    """

    recordings: dict[str, int]
    windows: int
    audio_s: float
    parts: int
    open_parts: int
    num_bytes: int
    facts: StoreFacts
    written_by: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "recordings": self.recordings,
            "windows": self.windows,
            "audio_hours": round(self.audio_s / 3600, 4),
            "parts": self.parts,
            "open_parts": self.open_parts,
            "bytes": self.num_bytes,
            "classes": len(self.facts.labels),
            "embedding": self.facts.embedding_size,
            "frames": None if self.facts.frames is None else asdict(self.facts.frames),
            "settings": dict(self.facts.settings),
            "written_by": list(self.written_by),
        }


def store_info(path: Path) -> StoreInfo:
    """What the store at a path holds, by its outcomes alone: no window is read."""
    store = Store(path)
    return StoreInfo(
        store.num_by_status,
        store.num_windows,
        store.num_samples / SAMPLE_RATE_HZ,
        len(store.part_names),
        len(open_parts(path)),
        sum(file.stat().st_size for table in _TABLES for file in parts_of(path, table)),
        store.facts,
        tuple(map(dict, store.written_by)),
    )


def parts_without_outcomes(path: Path) -> list[str]:
    """The parts whose file of recordings is gone, so that they do not count; none while a part is being written."""
    known = {part.stem for part in parts_of(path, RECORDINGS)}
    return [] if open_parts(path) else [part.stem for part in parts_of(path, WINDOWS) if part.stem not in known]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a part, and how many recordings it holds; None where that is not known."""

    part: str
    fault: str
    recordings: int | None


def verify(path: Path) -> Iterator[Fault]:
    """Read the whole store, every page with its checksum, and yield what is damaged, missing or of another run."""
    facts = facts_from_dict(path / HEADER, read_facts(path, KIND))
    names = dict.fromkeys(part.stem for table in _TABLES for part in parts_of(path, table))
    yield from filter(None, (_fault_of(path, name, facts) for name in names))


def _fault_of(path: Path, name: str, facts: StoreFacts) -> Fault | None:
    try:
        _verify_part(path, name, facts)
    except InputError as error:
        return Fault(name, str(error), _num_recordings(path, name))
    return None


def _verify_part(path: Path, name: str, facts: StoreFacts) -> None:
    outcomes = PartFile(part_path(path, RECORDINGS, name))
    own, _ = outcomes.facts()
    if changed := facts.differences(own):
        raise InputError(f"{outcomes.path}: is of a store with other settings ({'; '.join(changed)})")
    rows = read_recordings(outcomes)
    placed = [row for row in rows if row["first_row"] is not None and row["windows"]]
    windows = part_path(path, WINDOWS, name)
    if not placed and not os.path.lexists(windows):
        return
    file, schema = PartFile(windows), window_schema(facts)
    expected = np.repeat([row["id"] for row in placed], [row["windows"] for row in placed])
    if file.num_rows != len(expected):
        raise InputError(f"{windows}: holds {file.num_rows:,} windows where its recordings have {len(expected):,}")
    for number, first in enumerate(file.group_starts[:-1]):
        ids = file.read_group(number, schema.names)["id"].to_numpy()
        if not np.array_equal(ids, expected[first : first + len(ids)]):
            raise InputError(f"{windows}: holds windows of other recordings than {outcomes.path} names")


def _num_recordings(path: Path, name: str) -> int | None:
    try:
        return PartFile(part_path(path, RECORDINGS, name)).num_rows
    except InputError:
        return None
