"""The recordings of which views are stored, in an order and in blocks that depend on nothing but the data."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cedtag.audio import AUDIO_SUFFIXES
from cedtag.audio.members import split
from cedtag.audio.places import is_elsewhere, state_of
from cedtag.errors import AudioError, InputError
from cedtag.inputs.manifest import read_examples, require_audio, require_here, select_folds
from cedtag.inputs.search import Search
from cedtag.inputs.slices import Slice
from cedtag.inputs.sources import find_sources
from cedtag.inputs.windows import windows_of_part
from cedtag.records import FileFailed, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cedtag.inputs.data_settings import DataSettings
    from cedtag.inputs.manifest import Example
    from cedtag.records import Window

    Span = tuple[int, int | None]

BLOCK_CLIPS, BLOCK_BYTES = 64, 64 << 20
_ASKED_AT_ONCE = 16  # objects elsewhere: each answer takes a while


@dataclass(frozen=True, slots=True)
class ClipSource(Source):
    """A recording with what of it is used, in samples, by the start; the number of its block, and if it is the last.

    `done` are the starts and ends of clips that are stored already, in so many `pieces` of the block.
    """

    spans: tuple[Span, ...] = ((0, None),)
    block: int = 0
    ends_block: bool = False
    done: frozenset[tuple[int, int]] = frozenset()
    pieces: int = 0


@dataclass(frozen=True, slots=True)
class ClipData:
    """Recordings at `path`: `examples` of a manifest, or else all that are below; they can be listed again."""

    path: Path
    examples: tuple[Example, ...] | None = None

    def sources(self) -> Iterator[ClipSource]:
        """Yield the recordings, in the order of their names' bytes or of the folder's search, with their blocks."""
        return _in_blocks(self._all())

    def _all(self) -> Iterator[ClipSource]:
        if self.examples is not None:
            yield from _of_examples(self.examples)
            return
        for found in find_sources([os.fspath(self.path)], Search()):
            if isinstance(found, FileFailed):
                raise InputError(f"{found.error}; mend that, or name other data")
            if isinstance(found, Source):  # else it is a link or a device, as in every search of a folder
                name = found.relative if self.path.is_dir() else self.path.name
                yield ClipSource(found.path, name, name, found.root, found.size, found.mtime_ns, at=found.at)

    def measured(self) -> tuple[str, int, int]:
        """A digest of names, sizes and spans, and the numbers of recordings and of blocks; InputError without any."""
        digest, recordings, block = hashlib.sha256(), 0, -1
        for source in self.sources():
            digest.update(repr((source.name, source.size, source.spans)).encode("utf-8", "surrogatepass"))
            recordings, block = recordings + 1, source.block
        if not recordings:
            raise InputError(f"{self.path}: no recordings are there")
        return digest.hexdigest()[:32], recordings, block + 1

    def files(self) -> list[str]:
        """What nothing may be written over: the data itself."""
        return [os.fspath(self.path)]


def read_clip_data(path: Path, selection: DataSettings) -> ClipData:
    """The recordings of a folder, at any depth, or those of a manifest or segment list, which needs no labels."""
    require_here(path, selection.audio)
    is_folder = os.path.isdir(path)  # noqa: PTH112 -- Path.is_dir raises an error for a name that is too long
    if is_folder or path.suffix.lower() in AUDIO_SUFFIXES:
        select_folds([], selection.folds)
        return ClipData(path)
    examples = select_folds(read_examples(path, selection.audio, needs_labels=False), selection.folds)
    require_audio(path, examples)
    return ClipData(path, tuple(examples))


def clips_of(blocks: Iterator[NDArray[np.float32]], source: Source, size: int) -> Iterator[Window]:
    """Cut the spans of a recording into clips of up to `size` samples, each span as `sliding_windows` cuts a recording.

    Those that are done are left out.
    Of blocks only those are kept that a later span needs, and none is asked for beyond the last span.
    """
    assert isinstance(source, ClipSource)
    rereadable, seen = _Blocks(blocks), set(source.done)
    starts = [start for start, _ in source.spans]
    for (start, stop), next_start in zip(source.spans, [*starts[1:], None], strict=True):
        first, since = rereadable.since(start, next_start)
        part = Slice(start - first, None if stop is None else stop - first)
        for window in windows_of_part(since, part, source, size, size):
            clip = replace(window, index=len(seen), start=first + window.start)
            if (clip.start, clip.stop) not in seen:
                seen.add((clip.start, clip.stop))
                yield clip


class _Blocks:
    """Blocks of a recording, some of which can be read a second time."""

    def __init__(self, blocks: Iterator[NDArray[np.float32]]) -> None:
        self._blocks = blocks
        self._kept: list[tuple[int, NDArray[np.float32]]] = []  # with the place of each
        self._end = 0

    def since(self, start: int, needed_from: int | None) -> tuple[int, Iterator[NDArray[np.float32]]]:
        """The place of the first of the blocks from `start` on, and these; those from `needed_from` on are kept."""
        old = [(at, block) for at, block in self._kept if at + len(block) > start]
        self._kept = [(at, block) for at, block in old if needed_from is not None and at + len(block) > needed_from]
        return old[0][0] if old else self._end, self._from(old, needed_from)

    def _from(
        self, old: Sequence[tuple[int, NDArray[np.float32]]], needed_from: int | None
    ) -> Iterator[NDArray[np.float32]]:
        for _, block in old:
            yield block
        for block in self._blocks:
            at, self._end = self._end, self._end + len(block)
            if needed_from is not None and self._end > needed_from:
                self._kept.append((at, block))
            yield block


def _of_examples(examples: Iterable[Example]) -> Iterator[ClipSource]:
    spans: dict[str, set[Span]] = {}
    names: dict[str, str] = {}
    for one in examples:
        names.setdefault(one.path, one.name)
        spans.setdefault(one.path, set()).add((one.start, one.stop))
    by_name = sorted(names.items(), key=lambda item: os.fsencode(item[1]))
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        asked = {path: pool.submit(_status, path) for path, _ in by_name if is_elsewhere(path) and not split(path)}
    for path, name in by_name:
        size, mtime_ns = asked[path].result() if path in asked else _status(path)
        in_order = sorted(spans[path], key=lambda span: (span[0], span[1] is None, span[1] or 0))
        yield ClipSource(path, name, name, "", size, mtime_ns, spans=tuple(in_order))


def _status(path: str) -> tuple[int, int]:
    try:
        return state_of(path)
    except AudioError:  # which is said when it is opened
        return 0, 0


def _in_blocks(sources: Iterable[ClipSource]) -> Iterator[ClipSource]:
    """The sources with their blocks, of which each ends with the recording that makes it large enough."""
    block = num_clips = num_bytes = 0
    before: ClipSource | None = None
    for source in sources:
        if before is not None:
            is_full = num_clips >= BLOCK_CLIPS or num_bytes >= BLOCK_BYTES
            yield replace(before, block=block, ends_block=is_full)
            if is_full:
                block, num_clips, num_bytes = block + 1, 0, 0
        before = source
        num_clips, num_bytes = num_clips + len(source.spans), num_bytes + source.size
    if before is not None:
        yield replace(before, block=block, ends_block=True)
