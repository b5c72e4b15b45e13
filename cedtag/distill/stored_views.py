"""The views of a store, drawn again from its recordings; refused where they are not those that teachers scored."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from cedtag.audio.places import may_be_there, placed, state_of
from cedtag.distill.run import file_of
from cedtag.distill.views import draw_view
from cedtag.errors import AudioError, InputError
from cedtag.inputs.manifest import Example, read_examples, require_here
from cedtag.inputs.segments import ReadClips, read_clips
from cedtag.records import SAMPLE_RATE_HZ, FileFailed
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from cedtag.distill.block import Recording, StoredClip
    from cedtag.distill.store import DistillStore, StoreFacts
    from cedtag.distill.view_feed import Seen, ViewFeed
    from cedtag.distill.views import Clip
    from cedtag.model.features import CedFeatureExtractor
    from cedtag.training.clip_file import Place

    Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StoredData:
    """A whole store, its recordings by their names below `root`, and the number of their clips."""

    store: DistillStore
    data: Path
    recordings: Mapping[str, Recording]
    num_clips: int

    @property
    def facts(self) -> StoreFacts:
        """What the store was made of."""
        return self.store.facts

    @property
    def path(self) -> Path:
        """The folder of the store."""
        return self.store.path

    @property
    def root(self) -> Path:
        """The folder that the recordings are in: `data`, or that of a manifest."""
        return self.data if self.data.is_dir() else self.data.parent

    def files(self) -> list[str]:
        """All that is read, which nothing may be written over."""
        recordings = (placed(name, self.root) for name in self.recordings)
        return [*map(os.fspath, (self.data, self.path, *self.store.parts)), *recordings]


def read_stored(store: DistillStore, data: Path | None) -> StoredData:
    """The data of a store; InputError for one with missing parts, and for recordings that are missing or have changed.

    Contents are compared later, when they are read anyway.
    """
    if store.missing_blocks > 0:
        raise InputError(
            f"{store.path}: {store.missing_blocks} of {store.facts.blocks} parts are not there yet; go on with "
            "storing, or copy the parts of the other shards"
        )
    data = Path(store.facts.place) if data is None else data
    require_here(data)
    if not os.path.exists(data):  # noqa: PTH110 -- no error for a name that is too long
        raise InputError(f"{data}: the recordings of the store are not there; name their folder with `data`")
    recordings, num_clips = {}, 0
    for one in store.clips():
        recordings[one.clip.name] = one.recording
        num_clips += 1
    if not num_clips:
        raise InputError(f"{store.path}: holds no clip; store others")
    stored = StoredData(store, data, recordings, num_clips)
    _check_recordings(stored)
    return stored


def _check_recordings(stored: StoredData) -> None:
    sizes = {name: _size(placed(name, stored.root)) for name in stored.recordings}
    if missing := [name for name, size in sizes.items() if size is None]:
        raise InputError(
            f"{stored.root}: {len(missing)} of {len(sizes)} recordings of the store are not there, the first is "
            f"{missing[0]}; name the folder that they are in with `data`"
        )
    for name, recording in stored.recordings.items():
        if sizes[name] != recording.size:
            raise _changed(placed(name, stored.root))


def _size(path: str) -> int | None:
    """The size of a file, None of one that is not there."""
    try:
        return state_of(path)[0] if may_be_there(path) else None
    except AudioError:
        return None


def load_views(
    stored: StoredData, extractor: CedFeatureExtractor, feed: ViewFeed, on_clip: Callable[[], object] = lambda: None
) -> None:
    """Decode every recording once, and append its clips to the feed.

    InputError for a recording that has changed, and for a view that its checksum does not recognise; AudioError for one
    that cannot be decoded.
    """
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for part in stored.store.parts:
            clips = stored.store.block(part).clips
            _check_contents(stored.root, clips, pool)
            for one, place in zip(clips, _spectra_of(clips, stored.root, extractor, feed, pool), strict=True):
                epochs = feed.seen.num_epochs
                feed.put(one.clip, place, (one.indices[:epochs], one.values[:epochs]))
                on_clip()


def _spectra_of(
    clips: Sequence[StoredClip], root: Path, extractor: CedFeatureExtractor, feed: ViewFeed, pool: ThreadPoolExecutor
) -> list[Place]:
    """Where the spectra of each clip are in the file of the feed."""
    by_place = {(one.clip.name, one.clip.start, one.clip.stop): one for one in clips}

    def draw(example: Example, samples: Samples) -> Place:
        one = by_place[example.name, example.start, example.stop or 0]
        return feed.features.append(_spectra(one, root, samples, feed.seen, extractor))

    examples = [Example(placed(name, root), name, (), start, stop) for name, start, stop in by_place]
    shortest = extractor.front_end.patch_samples
    places = read_clips(examples, shortest, draw, pool=pool, keep_going=True, on_recording=_require_whole)
    return [place for place in places if place is not None]


def _check_contents(root: Path, clips: Sequence[StoredClip], pool: ThreadPoolExecutor) -> None:
    """InputError for a recording with other bytes than the one whose clips these are."""
    recordings = {placed(one.clip.name, root): one.recording for one in clips}
    for path, found in zip(recordings, pool.map(file_of, recordings), strict=True):
        if found != recordings[path]:
            raise _changed(path)


def _require_whole(read: ReadClips[Place]) -> None:
    """AudioError for a recording of which a clip that was stored cannot be used."""
    if isinstance(read.outcome, FileFailed):
        raise AudioError(f"{read.outcome.error}; its clips were stored, so it could be decoded then")
    if read.left_out:
        raise AudioError(f"{read.left_out[0]}; it was stored, so it could be decoded then")


def _spectra(
    one: StoredClip, root: Path, samples: Samples, seen: Seen, extractor: CedFeatureExtractor
) -> NDArray[np.float16]:
    """The log-mel `(epochs, mels, frames)` of the shifted clip in each stored epoch; the first has to be recognised."""
    clip, hop_size, num_mels = one.clip, extractor.front_end.hop_size, extractor.front_end.n_mels
    views = [
        draw_view(seen.seed, clip, epoch, num_mels=num_mels, hop_size=hop_size) for epoch in range(seen.num_epochs)
    ]
    shifted = [view.shifted(samples) for view in views]
    if len(samples) != clip.stop - clip.start or not one.checksum.is_of(views[0], seen.seed, clip, shifted[0]):
        raise InputError(
            f"{placed(clip.name, root)}: the view of the clip from {clip.start / SAMPLE_RATE_HZ:g} s on is not the one "
            "that the teachers scored (the store was altered, or the recording is decoded otherwise here); store it "
            "again"
        )
    return np.stack([extractor.log_mel(torch.from_numpy(one)[None])[0].half().numpy() for one in shifted])


def _changed(path: str) -> InputError:
    return InputError(
        f"{path}: is another recording than the one whose clips were stored; restore it, or store it again"
    )


def labels_of(data: Path, clips: Sequence[Clip], classes: Sequence[str]) -> list[tuple[int, ...]]:
    """The classes of each clip by the labels of `data`, which are those of all parts of a recording that it overlaps.

    InputError for labels that are no class of the store, and data without labels for any clip.
    """
    column = {name: index for index, name in enumerate(classes)}
    examples: dict[str, list[Example]] = {}
    for example in read_examples(data):
        if unknown := [name for name in example.labels if name not in column]:
            raise InputError(
                f"{data}: the label {unknown[0]!r} is no class of the store's teachers; correct the labels"
            )
        examples.setdefault(example.name, []).append(example)
    found = [
        sorted(
            {
                column[name]
                for one in examples.get(clip.name, ())
                if one.start < clip.stop and (one.stop is None or clip.start < one.stop)
                for name in one.labels
            }
        )
        for clip in clips
    ]
    if not any(found):
        raise InputError(f"{data}: has no label of any clip of the store; `labels_weight` needs some")
    return [tuple(one) for one in found]
