"""Parts that were scored apart, joined as if one run had scored everything."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cedtag.errors import InputError
from cedtag.records import FileEnd, FileFailed
from cedtag.run.journal import JOURNAL_SUFFIX
from cedtag.run.journal.format import Contents, read_contents, results_at, source_at
from cedtag.run.outputs.files import journal_beside
from cedtag.run.outputs.open import open_output
from cedtag.run.outputs.places import check_destination
from cedtag.run.settings import run_differences
from cedtag.store import is_score_store
from cedtag.system.extras import require
from cedtag.writers.per_recording import is_per_recording, warn_of_top_k

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cedtag.records import Result
    from cedtag.run.outputs.destination import Destination
    from cedtag.writers.run_info import RunInfo

logger = logging.getLogger(__name__)

_MOST_NAMED = 10  # missing shards in one sentence


@dataclass(frozen=True, slots=True)
class Part:
    """One output that is joined: its journal, and what that holds."""

    path: Path
    contents: Contents

    @property
    def shards(self) -> set[tuple[int, int]]:
        return {tuple(made["shard"]) for made in self.contents.made if made.get("shard")}


class _Place(NamedTuple):
    """Where a recording stands in the order of one run, and the line of which part commits it."""

    root: int
    relative: bytes
    part: int
    offset: int
    at: str


def read_parts(paths: Sequence[Path]) -> list[Part]:
    """The parts named by their outputs or journals; InputError when they are not all of one whole."""
    parts = [_read_part(path) for path in paths]
    for part in parts[1:]:
        if changed := run_differences(parts[0].contents.run, part.contents.run):
            raise InputError(f"{part.path}: not made with the settings of {parts[0].path} ({'; '.join(changed)})")
    _check_shards(parts)
    _warn_of_processors(parts)
    return parts


def _warn_of_processors(parts: Sequence[Part]) -> None:
    """Log it where the parts were made on processors of different kinds, as far as their journals tell."""
    names = {made["processor"] for part in parts for made in part.contents.made[-1:] if made.get("processor")}
    if len(names) > 1:
        logger.warning(
            "these parts were made on %s, which round spectra differently: scores may have another last digit than "
            "those of one machine",
            " and ".join(sorted(map(str, names))),
        )


def merge(paths: Sequence[Path], destination: Destination) -> int:
    """Join the outputs of shards, each a file with its journal beside it, into what an undivided run would have given.

    The number of recordings is what comes back.

    InputError when a recording is missing, stands in two parts, or a part was made with other settings.
    """
    if any(map(is_score_store, paths)):
        return _merge_stores(paths, destination)
    if destination.is_stdout:
        raise InputError("`to` - has no journal to go on from; name a file, and convert it with cedtag convert")
    parts = read_parts(paths)
    _check_outputs(destination, paths, parts)
    results, recordings = joined_results(parts), 0
    run = destination.arranged(run_of(parts))
    if is_per_recording(run):
        warn_of_top_k(parts[0].path, run)
    with closing(open_output(replace(destination, resume=True, overwrite=True), run)) as joined:
        for result in results:
            joined.write(result)
            recordings += isinstance(result, FileEnd | FileFailed)
        joined.finish()
    return recordings


def _merge_stores(paths: Sequence[Path], destination: Destination) -> int:
    """Join stores into a new one; the number of recordings in it."""
    if len(destination.to) != 1 or not destination.is_folder or destination.formats:
        raise InputError("stores are joined into a store: name a new folder for `to`, and make rows of it afterwards")
    require("store", "a store needs pyarrow")
    from cedtag.store.upkeep import merge_stores

    return merge_stores(paths, Path(destination.to[0]))


def _check_outputs(destination: Destination, paths: Sequence[Path], parts: Sequence[Part]) -> None:
    """Refuse to write over one of the parts, and over anything else without being told."""
    journals = [part.path for part in parts]
    outputs = [path.with_name(path.name.removesuffix(JOURNAL_SUFFIX)) for path in journals]
    check_destination(replace(destination, resume=False), [*paths, *journals, *outputs])


def run_of(parts: Sequence[Part]) -> RunInfo:
    """The settings that all parts share."""
    return parts[0].contents.run


def joined_results(parts: Sequence[Part]) -> Iterator[Result]:
    """All results, folder by folder in the order of their paths, as an undivided run gives them.

    InputError, at once, when a recording is in two parts. Recordings that were named one by one come in the order of
    their paths, too; in which order they were named is not known.
    """
    places = _places(parts)
    by_place = sorted((place for place in places if place.at), key=lambda place: place.at)
    for one, other in chain(pairwise(places), pairwise(by_place)):
        if one[:2] == other[:2] or (one.at and one.at == other.at):
            both = f"{parts[one.part].path} and {parts[other.part].path}"
            raise InputError(f"{os.fsdecode(one.relative)} is in both {both}; name each part once")
    return _results(parts, places)


def _results(parts: Sequence[Part], places: Sequence[_Place]) -> Iterator[Result]:
    files = [part.path.open("rb") for part in parts]
    try:
        for place in places:
            yield from results_at(files[place.part], place.offset)
    finally:
        for file in files:
            file.close()


def _read_part(path: Path) -> Part:
    if path.is_dir():
        raise InputError(f"{path}: the files of a folder need no merging; copy those of all parts into one folder")
    journal = path if path.name.endswith(JOURNAL_SUFFIX) else journal_beside(path)
    try:
        contents = read_contents(journal)
    except OSError as error:
        raise InputError(f"{journal}: the journal of this part cannot be read ({error.strerror})") from error
    if not contents.made_last:
        raise InputError(f"{journal}: this run has not come to its end; run its command again, and merge then")
    return Part(journal, contents)


def _check_shards(parts: Sequence[Part]) -> None:
    """Refuse shards that are missing or named twice; parts of runs without --shard can always be joined."""
    shards = sorted(chain.from_iterable(part.shards for part in parts))
    if not shards:
        return
    whole = {count for _, count in shards}
    undivided = [part.path for part in parts if not part.shards]
    if len(whole) > 1 or undivided:
        kinds = [
            *(f"shards of {count}" for count in sorted(whole)),
            *(f"{path}, which is no shard" for path in undivided),
        ]
        raise InputError(f"there are {' and '.join(kinds)}; merge the shards of one `shard` I/N alone")
    (count,) = whole
    known = {number for number, _ in shards}
    if len(known) < count:  # which may be a billion
        missing = islice((number for number in range(1, count + 1) if number not in known), _MOST_NAMED)
        names = ", ".join(f"{number}/{count}" for number in missing)
        names += f" and {more} more" if (more := count - len(known) - _MOST_NAMED) > 0 else ""
        raise InputError(f"of {count} shards these are missing: {names}; run them, or name their outputs too")


def _places(parts: Sequence[Part]) -> list[_Place]:
    """Where every recording stands, in order."""
    roots: list[list[str]] = []
    found: list[tuple[str, bytes, int, int, str]] = []
    first_names: dict[str, str] = {}  # of each folder that was spelled in several ways
    for number, part in enumerate(parts):
        own: dict[str, None] = {}
        with part.path.open("rb") as lines:
            for offset in part.contents.done.offsets().tolist():
                source = source_at(lines, offset)
                root = source.root
                if source.at.endswith(f"/{source.relative}"):
                    root = first_names.setdefault(source.at.removesuffix(source.relative), root)
                own.setdefault(root)
                found.append((root, os.fsencode(source.relative), number, offset, source.at))
        roots.append(list(own))
    ranks = {root: rank for rank, root in enumerate(_common_order(roots))}
    return sorted(_Place(ranks[root], relative, number, offset, at) for root, relative, number, offset, at in found)


def _common_order(orders: Sequence[Sequence[str]]) -> list[str]:
    """The roots in an order that agrees with that of every part, where there is one."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for order in orders:
        for root in order:
            sorter.add(root)
        for before, after in pairwise(order):
            sorter.add(after, before)
    try:
        return list(sorter.static_order())
    except CycleError:
        return list(dict.fromkeys(chain.from_iterable(orders)))
