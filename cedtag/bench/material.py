"""The recordings that are scored: those that were given, or synthetic ones, as much of them as a measurement needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.bench.corpus import write_recording
from cedtag.errors import InputError
from cedtag.inputs.extent import stated_length_s
from cedtag.inputs.search import Search
from cedtag.inputs.sources import find_sources
from cedtag.records import FileFailed, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Of a whole number of batches, as most of an archive is.
_RECORDING_S = 120
_MOST_KINDS = 6
_MOST_FILES = 10_000  # that are looked at, of an archive of any size


@dataclass(frozen=True, slots=True)
class Material:
    """Recordings of one kind: what is named to a run, and how many seconds of each are scored."""

    paths: tuple[str, ...]
    to_s: float | None = None

    def sources(self) -> list[Source]:
        """The recordings by themselves."""
        return [found for found in find_sources(self.paths, Search()) if isinstance(found, Source)]


def synthetic(folder: Path, kinds: Sequence[str], wanted_s: float) -> dict[str, Material]:
    """For each container one recording, under as many names as make `wanted_s`."""
    length_s = min(_RECORDING_S, ceil(wanted_s))
    materials = {}
    for kind in kinds:
        own = folder / kind
        own.mkdir(parents=True)
        first = write_recording(own / f"0000.{kind}", length_s)
        for number in range(1, ceil(wanted_s / length_s)):
            os.link(first, own / f"{number:04d}.{kind}")  # a symbolic link in a folder is passed over
        materials[kind] = Material((str(own),))
    return materials


def given(paths: Sequence[str], wanted_s: float) -> dict[str, Material]:
    """The recordings at `paths` by suffix, of each kind as many as make `wanted_s`; the six kinds that come first."""
    by_kind: dict[str, list[Source]] = {}
    length_s: dict[str, float] = {}
    for source in islice(_recordings(paths), _MOST_FILES):
        kind = Path(source.path).suffix[1:].lower() or "other"
        if length_s.get(kind, 0) < wanted_s and (kind in by_kind or len(by_kind) < _MOST_KINDS):
            by_kind.setdefault(kind, []).append(source)
            length_s[kind] = length_s.get(kind, 0) + (stated_length_s(source, asks_pyav=True) or 0)
    if not by_kind:
        raise InputError("no recordings there to measure with; leave `files` out to measure with synthetic ones")
    return {kind: Material(tuple(one.path for one in found), wanted_s) for kind, found in by_kind.items()}


def _recordings(paths: Sequence[str]) -> Iterator[Source]:
    for found in find_sources(list(paths), Search()):
        if isinstance(found, FileFailed):
            raise InputError(found.error)
        if isinstance(found, Source):
            yield found
