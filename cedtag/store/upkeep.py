"""A store kept in order by its user: compacted, and without recordings that are to be forgotten."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cedtag.errors import InputError, OutputError
from cedtag.store import KIND, open_store
from cedtag.store.compact import compact, remove_part, without_superseded
from cedtag.store.facts import facts_from_dict
from cedtag.store.inspect import verify
from cedtag.store.schema import RECORDINGS, WINDOWS
from cedtag.store.write import open_store_writer
from cedtag.system.atomic import writing
from cedtag.system.part_folder import HEADER, open_part_folder, parts_of, read_facts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from cedtag.store.read import Store
    from cedtag.store.schema import StoredRecording


def compact_store(path: Path) -> int:
    """Write a store anew in listing order, in parts of full size and without what does not count; the number of parts.

    While it is written there are two copies on the disk. Stopped at any moment it loses nothing.
    """
    with _locked(path):
        num_parts = sum(1 for _ in compact(path))
        known = {part.stem for part in parts_of(path, RECORDINGS)}
        for part in parts_of(path, WINDOWS):
            if part.stem not in known:  # of a command that was stopped
                remove_part(path, part.stem)
        return num_parts


def forget(path: Path, ids: Collection[int]) -> None:
    """Take the recordings of these ids out of a store; a later run that finds them stores them again."""
    with _locked(path):
        for _ in without_superseded(path, ids):
            pass


def forget_damaged(path: Path) -> list[str]:
    """Take the parts out of a store that cannot be read, with all recordings in them; their names."""
    read_facts(path, KIND)
    with open_part_folder(path, KIND, {}, lambda _: []), writing(path):
        damaged = [fault.part for fault in verify(path)]
        for name in damaged:
            remove_part(path, name)
        return damaged


def merge_stores(paths: Sequence[Path], to: Path) -> int:
    """Join the parts of stores into a new store; how many recordings it holds.

    InputError for a store of other settings, a recording that is in two of them, and one that is not finished.
    """
    stores = [open_store(path) for path in paths]
    for store in stores:
        if store.is_unfinished:
            raise InputError(f"{store.path}: its run has not come to its end; run its command again, and merge then")
        if changed := store.facts.differences(stores[0].facts):
            raise InputError(f"{store.path}: not made with the settings of {paths[0]} ({'; '.join(changed)})")
    _check_apart(stores)
    with open_part_folder(to, KIND, stores[0].facts.to_dict(), lambda _: []) as folder:
        if parts_of(to, RECORDINGS):
            raise OutputError(f"{to}: holds a store already; name a new folder, or copy parts into it")
        for table in (WINDOWS, RECORDINGS):  # outcomes come last: they make parts count
            for part in (part for store in stores for part in parts_of(store.path, table)):
                with writing(to), folder.writing_part(f"{table}/{part.name}") as out, part.open("rb") as whole:
                    shutil.copyfileobj(whole, out, 1 << 20)
    return len(open_store(to))


def _check_apart(stores: Sequence[Store]) -> None:
    """InputError for a recording that is in two stores."""
    seen: dict[str, int] = {}
    for number, store in enumerate(stores):
        for outcome in store.recordings():
            other = seen.setdefault(outcome.source.at or outcome.source.name, number)
            if other != number:
                both = f"{stores[other].path} and {store.path}"
                raise InputError(f"{outcome.source.name} is in both {both}; name each store once")


def recordings_named(store: Store, names: Sequence[str]) -> list[StoredRecording]:
    """The recordings with these names or absolute paths, or in folders of these; InputError for a name of none."""
    found: dict[int, StoredRecording] = {}
    unknown = dict.fromkeys(names)
    for one in store.stored():
        source = one.outcome.source
        for name in names:
            if _is_at(name, source.name) or _is_at(os.path.abspath(name), source.at):  # noqa: PTH100 -- not pathlib
                found[one.id] = one
                unknown.pop(name, None)
    if unknown:
        raise InputError(f"{store.path}: holds no recording or folder {next(iter(unknown))}; nothing was forgotten")
    return list(found.values())


def missing_recordings(store: Store) -> list[StoredRecording]:
    """The recordings whose files are no longer where they were."""
    return [one for one in store.stored() if not os.path.lexists(one.outcome.source.at or one.outcome.source.path)]


def _is_at(name: str, path: str) -> bool:
    return path == name or path.startswith(f"{name.rstrip('/')}/")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep others from writing a store; what is unfinished becomes a part first."""
    facts = facts_from_dict(path / HEADER, read_facts(path, KIND))
    writer = open_store_writer(path, facts)
    try:
        with writing(path):
            writer.finish_part()
            yield
    finally:
        writer.close()
