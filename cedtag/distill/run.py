"""Storing views: recordings are decoded, cut, drawn and scored side by side, and written part by part."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from cedtag.audio.open import open_regular, unreadable
from cedtag.audio.places import state_of
from cedtag.distill.block import Block, Recording, StoredClip, block_bytes, read_outcome
from cedtag.distill.data import ClipSource, read_clip_data
from cedtag.distill.recipe import view_recipe, view_work
from cedtag.distill.scorer import clip_of, draw
from cedtag.distill.settings import DEFAULT_TOP_K, DistillStoreSettings
from cedtag.distill.store import DistillStore, StoreFacts, open_store, part_name
from cedtag.distill.teachers import common_front_end
from cedtag.distill.views import NUM_SUMS, Checksum, numbers_checksum
from cedtag.errors import AudioError, InputError
from cedtag.inputs.segments import ReadClips
from cedtag.inputs.window_settings import samples_of
from cedtag.records import SAMPLE_RATE_HZ, AlreadyDone, FileEnd, FileFailed, ScoredWindow, Source
from cedtag.run.engines import outcomes_by
from cedtag.run.summary import Summary
from cedtag.scoring.torch_device import find_device, find_precision
from cedtag.system.atomic import writing
from cedtag.system.destinations import OutputPath, check_outputs
from cedtag.system.part_folder import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cedtag.distill.data import ClipData
    from cedtag.distill.teachers import Teacher
    from cedtag.distill.views import Clip
    from cedtag.records import Listed
    from cedtag.system.part_folder import PartFolder

    Ended: TypeAlias = FileEnd | FileFailed

# A kill costs at most the views of so many clips, and a part has two kilobytes of its own.
PIECE_CLIPS = 128


@dataclass(frozen=True, slots=True)
class DistillStoreCallbacks:
    """Functions that are called while views are stored.

    `on_start` is called with the facts of the store before anything is scored, and `on_recording` with what became of
    the clips of each recording, in order. On a cluster `on_actors` is told how many actors are at work, and of how
    many, from any thread.
    """

    on_start: Callable[[StoreFacts], object] = lambda facts: None
    on_recording: Callable[[ReadClips[Clip]], object] = lambda read: None
    on_actors: Callable[[int, int], object] = lambda at_work, number: None


@dataclass(slots=True)
class DistillStoreResult:
    """What became of the recordings, and how many clips were stored now; `left_out` counts earlier ones, too."""

    facts: StoreFacts
    summary: Summary = field(default_factory=Summary)
    clips: int = 0
    left_out: int = 0

    @property
    def complete(self) -> bool:
        """Whether every clip of every recording is stored."""
        return self.summary.all_complete and not self.left_out


def store_views(
    data: str | os.PathLike[str],
    teachers: Sequence[Teacher],
    output: str | os.PathLike[str],
    settings: DistillStoreSettings | None = None,
    callbacks: DistillStoreCallbacks | None = None,
) -> DistillStoreResult:
    """Store what the mean of the teachers gives for views of the clips of recordings, for a training.

    `data` is a folder of recordings, a manifest or AudioSet's segment list. Stopped in any way, the same call goes on
    and leaves the same bytes. Recordings that cannot be decoded, and clips too short for the teachers, are left out.
    Raises InputError, ModelError, OutputError, and AudioError without `settings.selection.keep_going` where a
    recording fails or is cut.
    """
    settings, callbacks = settings or DistillStoreSettings(), callbacks or DistillStoreCallbacks()
    settings.cluster.check_installed()
    path = Path(output)
    clip_data = read_clip_data(Path(data), settings.selection)
    check_outputs([OutputPath(path / HEADER, "store", replaceable=True, is_own=True)], clip_data.files())
    facts = facts_of(clip_data, teachers, settings)
    with open_store(path, facts) as folder:
        callbacks.on_start(facts)
        writer = _Writer(folder, DistillStoreResult(facts), callbacks, keep_going=settings.selection.keep_going)
        earlier = _Earlier(DistillStore(path), settings.parts.retry_failed)
        sources = earlier.pending(clip_data.sources(), settings.parts.shard)
        with ExitStack() as stack:
            here = view_work(teachers, facts, settings.compute, stack).outcomes
            recipe = partial(view_recipe, teachers, facts, settings.compute)
            outcomes = outcomes_by(settings.cluster, sources, here, recipe, callbacks.on_actors)
            for outcome in stack.enter_context(closing(outcomes)):
                writer.add(outcome)
    writer.result.left_out += earlier.left_out
    return writer.result


def facts_of(data: ClipData, teachers: Sequence[Teacher], settings: DistillStoreSettings) -> StoreFacts:
    """What decides the parts of a store; InputError where the teachers do not go together, or with the settings."""
    front_end, views = common_front_end(teachers), settings.views
    classes = teachers[0].classes
    top_k = min(DEFAULT_TOP_K, len(classes)) if views.top_k is None else views.top_k
    if top_k > len(classes):
        raise InputError(f"`top_k` {top_k}: the teachers have {len(classes)} classes, and no more can be kept")
    chunk = samples_of(views.chunk_s)
    longest = min((teacher.longest for teacher in teachers if teacher.longest is not None), default=chunk)
    if not front_end.patch_samples <= chunk <= longest:
        lengths = f"{front_end.patch_samples / SAMPLE_RATE_HZ:g} to {longest / SAMPLE_RATE_HZ:g}"
        raise InputError(f"`chunk_s` {views.chunk_s:g}: the teachers take from {lengths} seconds")
    device = find_device(settings.compute.device)
    digest, recordings, blocks = data.measured()
    return StoreFacts(
        seed=views.seed,
        epochs=views.epochs,
        top_k=top_k,
        chunk=chunk,
        classes=classes,
        teachers=tuple((teacher.name, teacher.digest) for teacher in teachers),
        front_end=front_end,
        device=device.type,
        precision=find_precision(settings.compute.precision, device),
        data=digest,
        recordings=recordings,
        blocks=blocks,
        place=os.path.abspath(settings.selection.audio or data.path),  # noqa: PTH100 -- no link is followed
    )


class _Writer:
    """Gathers clips, and writes a part when there are many, and when the last recording of a block has ended."""

    def __init__(
        self, folder: PartFolder, result: DistillStoreResult, callbacks: DistillStoreCallbacks, *, keep_going: bool
    ) -> None:
        self.result = result
        self._folder, self._callbacks, self._keep_going = folder, callbacks, keep_going
        self._block, self._pieces = Block(), 0
        # Of the recording that has not ended: what is in no part yet, all clips, and those that are too short.
        self._scored: list[StoredClip] = []
        self._clips: list[Clip] = []
        self._short: list[Clip] = []

    def add(self, outcome: object) -> None:
        if isinstance(outcome, ScoredWindow):
            self._add_clip(outcome)
        elif isinstance(outcome, AlreadyDone):
            self.result.summary.count(outcome)
        elif isinstance(outcome, FileEnd | FileFailed):
            self._end(outcome)

    def _add_clip(self, window: ScoredWindow) -> None:
        facts, source = self.result.facts, window.source
        assert isinstance(source, ClipSource)
        if window.stop - window.start < facts.front_end.patch_samples:
            self._short.append(clip_of(window))
            return
        self._scored.append(_stored(window, facts))
        self._clips.append(clip_of(window))
        if len(self._block.clips) + len(self._scored) >= PIECE_CLIPS and self._take(_recording(source)) is None:
            self._pieces = max(self._pieces, source.pieces)
            self._write(part_name(source.block, self._pieces), Block(self._block.clips))
            self._block.clips.clear()
            self._pieces += 1

    def _take(self, recording: Recording | FileFailed) -> FileFailed | None:
        """Add what is scored of a recording to its block; its failure, if its file is another one now."""
        if isinstance(recording, FileFailed):
            return recording
        self._block.clips.extend(replace(one, recording=recording) for one in self._scored)
        self._scored.clear()
        return None

    def _end(self, end: Ended) -> None:
        """Add what comes of a recording to its block, and write that if it was the last one."""
        source = end.source
        assert isinstance(source, ClipSource)
        if not isinstance(end, FileFailed):
            end = self._take(_recording(source)) or end
        left_out = _left_out(self._short, end, self.result.facts)
        clips = [] if isinstance(end, FileFailed) else self._clips
        self._scored, self._clips, self._short = [], [], []
        self._count(end, clips, left_out)
        if source.ends_block:
            self._write(part_name(source.block), self._block)
            self._block, self._pieces = Block(), 0

    def _count(self, end: Ended, clips: list[Clip], left_out: list[str]) -> None:
        if not self._keep_going and (fault := _fault(end, left_out)):
            raise AudioError(f"{fault}; `keep_going` leaves it out", traceback=end.traceback)
        if isinstance(end, FileFailed):
            self._block.failed[end.source.name] = end.stage
        elif end.problems:
            self._block.partial[end.source.name] = end.cause
        self._block.left_out.extend(left_out)
        self.result.summary.count(end)
        self.result.clips += len(clips)
        self.result.left_out += len(left_out)
        self._callbacks.on_recording(ReadClips(end, [*clips, *[None] * len(left_out)], left_out))

    def _write(self, name: str, block: Block) -> None:
        facts = self.result.facts
        content = block_bytes(block, store=facts.digest, seed=facts.seed, epochs=facts.epochs, top_k=facts.top_k)
        with writing(self._folder.path), self._folder.writing_part(name) as out:
            out.write(content)


@dataclass(slots=True)
class _Earlier:
    """What earlier runs have stored, and how many clips they have left out; asked by one thread."""

    store: DistillStore
    retry_failed: bool
    left_out: int = 0

    def pending(self, sources: Iterable[ClipSource], shard: tuple[int, int] | None) -> Iterator[Listed]:
        """Yield the recordings of the shard with what of them is done."""
        part, parts = shard or (1, 1)
        number, outcome, pieces = -1, None, list[Block]()
        for source in sources:
            if source.block % parts != part - 1:
                continue
            if source.block != number:
                number, outcome = source.block, self._outcome(source.block)
                pieces = [] if outcome else list(self._pieces(number))
            if outcome is not None:
                yield AlreadyDone(source, outcome.status_of(source.name))
                continue
            clips = [one.clip for block in pieces for one in block.clips if one.clip.name == source.name]
            yield replace(source, done=frozenset((clip.start, clip.stop) for clip in clips), pieces=len(pieces))

    def _outcome(self, number: int) -> Block | None:
        """What became of a block that is stored to its end; None if it is not, or is to be made again."""
        last = self.store.path / part_name(number)
        if not last.exists():
            return None
        outcome = read_outcome(last)
        if self.retry_failed and outcome.can_be_retried:
            with writing(last):
                last.unlink()
                for piece in self._piece_files(number):  # where they end depends on what failed
                    piece.unlink()
            return None
        self.left_out += len(outcome.left_out)
        return outcome

    def _pieces(self, number: int) -> Iterator[Block]:
        yield from map(self.store.block, self._piece_files(number))

    def _piece_files(self, number: int) -> list[Path]:
        """The pieces of a block, from the first on."""
        names = (self.store.path / part_name(number, piece) for piece in count())
        return list(takewhile(Path.exists, names))


def _stored(window: ScoredWindow, facts: StoreFacts) -> StoredClip:
    """The clip with the best classes of each view; of equal scores, those of the first classes. Without its file."""
    clip = clip_of(window)
    scores = window.probabilities[:-NUM_SUMS].reshape(facts.epochs, len(facts.classes))
    best = np.sort(np.argsort(-scores, axis=-1, kind="stable")[:, : facts.top_k], axis=-1)
    sums = tuple(window.probabilities[-NUM_SUMS:].tolist())
    return StoredClip(
        clip,
        Recording(0, b""),
        Checksum(numbers_checksum(draw(facts, clip, 0), clip), sums),
        best.astype(np.int16),
        np.take_along_axis(scores, best, -1).clip(0, 1).astype(np.float16),
    )


def _recording(source: ClipSource) -> Recording | FileFailed:
    """The size and the hash of a recording that was decoded just now, or why they are not those of what was decoded."""
    try:
        found = _unchanged(source.path, source.size, source.mtime_ns)
        state = state_of(source.path)
    except AudioError as error:
        return FileFailed(source, "read", str(error))
    if state != (source.size, source.mtime_ns):
        return FileFailed(source, "read", f"{source.name}: was changed while views were stored; run the same again")
    return found


@lru_cache(maxsize=1)  # pieces of a long recording are written one after another
def _unchanged(path: str, size: int, mtime_ns: int) -> Recording:
    """The size and the hash of the file that had this size and time when it was found."""
    return file_of(path)


def file_of(path: str) -> Recording:
    """The size and the hash of a recording's file as it is now; AudioError for one that cannot be read."""
    digest, size = hashlib.blake2b(digest_size=16), 0
    try:
        with os.fdopen(open_regular(Source(path, path, path)), "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise unreadable(path, error) from error
    return Recording(size, digest.digest())


def _left_out(short: Sequence[Clip], end: Ended, facts: StoreFacts) -> list[str]:
    """A sentence for each clip of a recording that is too short, or begins after its end."""
    patch = facts.front_end.patch_samples
    source = end.source
    assert isinstance(source, ClipSource)
    sentences = [
        f"{source.name}: {(one.stop - one.start) / SAMPLE_RATE_HZ:.2f} s of audio from second {_seconds(one.start)} "
        f"on; a clip must last one patch, {_seconds(patch)} s"
        for one in short
    ]
    if isinstance(end, FileFailed):
        return sentences
    decoded = f"{_seconds(end.num_samples)} s of the recording were decoded"
    starts = [start for start, _ in source.spans if start >= end.num_samples]
    return sentences + [f"{source.name}: the clip from {_seconds(start)} s on is empty; {decoded}" for start in starts]


def _fault(end: Ended, left_out: Sequence[str]) -> str:
    """What is wrong with a recording, if anything is."""
    if isinstance(end, FileFailed):
        return f"failed: {end.error}"
    if end.problems:
        return f"partial: {end.source.name}: {end.problems[0]}"
    return left_out[0] if left_out else ""


def _seconds(samples: int) -> str:
    return f"{round(samples / SAMPLE_RATE_HZ, 3):g}"
