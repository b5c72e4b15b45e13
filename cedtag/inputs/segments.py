"""Labelled clips, read from their recordings: what can be used of them, and why the others are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from cedtag.audio import open_recording
from cedtag.errors import AudioError
from cedtag.records import SAMPLE_RATE_HZ, FileEnd, FileFailed, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from numpy.typing import NDArray

    from cedtag.inputs.manifest import Example

    Samples = NDArray[np.float32]

Value = TypeVar("Value")


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
    pool: ThreadPoolExecutor,
    keep_going: bool,
    on_recording: Callable[[ReadClips[Value]], object],
) -> list[Value | None]:
    """What `use` makes of the samples `(n,)` of each of these examples, in their order, None where it is left out.

    That is a clip that was not decoded to its end, or has fewer than `shortest` samples, the length of a patch. Without
    `keep_going` the first such clip, and the first recording that fails, are an AudioError. `on_recording` is called
    with each recording in the order in which they come first.
    """
    places: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        places.setdefault(example.path, []).append(place)
    values: list[Value | None] = [None] * len(examples)

    def read(of_one: Sequence[int]) -> ReadClips[Value]:
        return _read([examples[place] for place in of_one], shortest, use, keep_going=keep_going)

    for of_one, clips in zip(places.values(), pool.map(read, places.values()), strict=True):
        for place, value in zip(of_one, clips.values, strict=True):
            values[place] = value
        on_recording(clips)
    return values


def _read(
    segments: Sequence[Example], shortest: int, use: Callable[[Example, Samples], Value], *, keep_going: bool
) -> ReadClips[Value]:
    """The clips of one recording."""
    source = Source(segments[0].path, segments[0].name, segments[0].name)
    try:
        samples, end = _decoded(source)
        faults = [_fault(segment, len(samples), shortest, whole=not end.problems) for segment in segments]
        values = [
            None if fault else use(segment, samples[segment.start : segment.stop])
            for segment, fault in zip(segments, faults, strict=True)
        ]
    except AudioError as error:
        if not keep_going:
            sentence = f"failed: {error}; `keep_going` leaves it out"
            raise AudioError(sentence, stage=error.stage, traceback=error.traceback) from error
        return ReadClips(FileFailed(source, error.stage, str(error), error.traceback), [None] * len(segments))
    left_out = [f"{segment.name}: {fault}" for segment, fault in zip(segments, faults, strict=True) if fault]
    if left_out and not keep_going:
        reasons = "".join(f" ({problem})" for problem in end.problems)
        raise AudioError(f"{left_out[0]}{reasons}; `keep_going` leaves it out")
    late = [one for one, fault in zip(segments, faults, strict=True) if not fault and (one.stop or 0) > len(samples)]
    if late and max(one.stop or 0 for one in late) - len(samples) >= shortest:
        length = _seconds(len(samples))
        warning = f"the clip from {_seconds(late[0].start)} s on should end after the recording does, at {length} s"
        end = replace(end, warnings=(*end.warnings, warning))
    return ReadClips(end, values, left_out)


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
