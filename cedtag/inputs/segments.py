"""Labelled clips, read from their recordings: what can be used of them, and why the others are left out."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from cedtag.audio import open_recording
from cedtag.errors import AudioError
from cedtag.records import SAMPLE_RATE_HZ, FileEnd, FileFailed, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from cedtag.inputs.manifest import Example

    Samples = NDArray[np.float32]
    Ended = FileEnd | FileFailed

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SegmentedSource(Source):
    """A recording with those parts of it that are clips, in the order of the data."""

    segments: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentsEnd(FileEnd, Generic[Value]):
    """The end of a recording with what was made of its clips: see `ReadClips`."""

    values: Sequence[Value | None] = ()
    left_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReadClips(Generic[Value]):
    """What was made of the clips of one recording, in their order: None of one that is left out.

    `outcome` is how the recording ended; `left_out` says for each clip why it is left out, unless all of it failed.
    """

    outcome: FileEnd | FileFailed
    values: Sequence[Value | None]
    left_out: Sequence[str] = ()

    @property
    def status(self) -> str:
        """How the recording ended: "ok", "partial" or "failed"."""
        return "failed" if isinstance(self.outcome, FileFailed) else self.outcome.status


def read_clips(
    examples: Sequence[Example],
    shortest: int,
    use: Callable[[Example, Samples], Value],
    *,
    pool: Executor,
    keep_going: bool,
    on_recording: Callable[[ReadClips[Value]], object],
) -> list[Value | None]:
    """What `use` makes of the samples `(n,)` of each of these examples, in their order, None where it is left out.

    That is a clip that was not decoded to its end, or has fewer than `shortest` samples, the length of a patch. Without
    `keep_going` the first such clip, and the first recording that fails, are an AudioError. `on_recording` is called
    with each recording in the order in which they come first.
    """
    with closing(read_segments(segmented(examples), shortest, use, pool)) as outcomes:
        return values_of(examples, outcomes, keep_going=keep_going, on_recording=on_recording)


def segmented(examples: Sequence[Example]) -> list[SegmentedSource]:
    """The recordings of examples, in the order in which they come first."""
    segments: dict[str, list[Example]] = {}
    for example in examples:
        segments.setdefault(example.path, []).append(example)
    return [
        SegmentedSource(path, own[0].name, own[0].name, size=_size(path), segments=tuple(own))
        for path, own in segments.items()
    ]


def read_segments(
    sources: Iterable[SegmentedSource], shortest: int, use: Callable[[Example, Samples], Value], pool: Executor
) -> Generator[Ended, None, None]:
    """Yield for each recording its `SegmentsEnd`, with what `use` makes of its clips, or its failure."""
    yield from pool.map(lambda source: _read(source, shortest, use), sources)


def values_of(
    examples: Sequence[Example],
    outcomes: Iterable[object],
    *,
    keep_going: bool,
    on_recording: Callable[[ReadClips[Value]], object],
) -> list[Value | None]:
    """What was made of each example, by the outcomes of their recordings in order; see `read_clips`."""
    places: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        places.setdefault(example.path, []).append(place)
    values: list[Value | None] = [None] * len(examples)
    for own, outcome in zip(places.values(), outcomes, strict=True):
        clips: ReadClips[Value] = _clips_of(outcome, len(own))
        if not keep_going:
            _require(clips)
        for place, value in zip(own, clips.values, strict=True):
            values[place] = value
        on_recording(clips)
    return values


def _clips_of(outcome: object, number: int) -> ReadClips[Value]:
    if isinstance(outcome, SegmentsEnd):
        return ReadClips(outcome, outcome.values, outcome.left_out)
    assert isinstance(outcome, FileFailed)
    return ReadClips(outcome, [None] * number)


def _require(clips: ReadClips[Value]) -> None:
    """AudioError where a recording has failed or a clip is left out."""
    outcome = clips.outcome
    if isinstance(outcome, FileFailed):
        sentence = f"failed: {outcome.error}; `keep_going` leaves it out"
        raise AudioError(sentence, stage=outcome.stage, traceback=outcome.traceback)
    if clips.left_out:
        reasons = "".join(f" ({problem})" for problem in outcome.problems)
        raise AudioError(f"{clips.left_out[0]}{reasons}; `keep_going` leaves it out")


def _read(source: SegmentedSource, shortest: int, use: Callable[[Example, Samples], Value]) -> Ended:
    """The clips of one recording."""
    segments = source.segments
    try:
        samples, end = _decoded(source)
        faults = [_fault(segment, len(samples), shortest, whole=not end.problems) for segment in segments]
        values = [
            None if fault else use(segment, samples[segment.start : segment.stop])
            for segment, fault in zip(segments, faults, strict=True)
        ]
    except AudioError as error:
        return FileFailed(source, error.stage, str(error), error.traceback)
    left_out = [f"{segment.name}: {fault}" for segment, fault in zip(segments, faults, strict=True) if fault]
    late = [one for one, fault in zip(segments, faults, strict=True) if not fault and (one.stop or 0) > len(samples)]
    warnings = end.warnings
    if late and max(one.stop or 0 for one in late) - len(samples) >= shortest:
        length = _seconds(len(samples))
        warning = f"the clip from {_seconds(late[0].start)} s on should end after the recording does, at {length} s"
        warnings = (*warnings, warning)
    said = end.problems, warnings, end.cause, end.traceback
    return SegmentsEnd(source, end.num_samples, 0, *said, values=values, left_out=left_out)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 -- paths may hold bytes that are not UTF-8
    except (OSError, ValueError):  # which is said when it is opened
        return 0


def _decoded(source: Source) -> tuple[Samples, FileEnd]:
    with open_recording(source) as recording:
        samples = np.concatenate(list(recording.blocks()))
    problems, warnings = tuple(recording.problems), tuple(recording.warnings)
    return samples, FileEnd(source, len(samples), 0, problems, warnings, recording.cause, recording.traceback)


def _fault(clip: Example, num_samples: int, shortest: int, *, whole: bool) -> str:
    """Why a clip of a recording, of which so many samples were decoded, cannot be used; "" for one that can."""
    begin, stop = _seconds(clip.start), num_samples if clip.stop is None else clip.stop
    length, decoded = min(stop, num_samples) - clip.start, f"{_seconds(num_samples)} s of the recording were decoded"
    if length <= 0:
        return f"the clip from {begin} s on is empty; {decoded}"
    if not whole and (clip.stop is None or stop > num_samples):
        end = "the end" if clip.stop is None else f"{_seconds(stop)} s"
        return f"the clip from {begin} s to {end} is cut; {decoded}"
    if length < shortest:
        return (
            f"{length / SAMPLE_RATE_HZ:.2f} s of audio from second {begin} on; a clip must last one patch, "
            f"{_seconds(shortest)} s"
        )
    return ""


def _seconds(samples: int) -> str:
    return f"{round(samples / SAMPLE_RATE_HZ, 3):g}"
