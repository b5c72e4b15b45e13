"""What a page shows of an archive, in columns: numbers in arrays, every text once."""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from cedtag.inputs.start_time import start_time_of
from cedtag.records import STATUSES, FileFailed, SoundEvent, TagResult, TimedSource

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cedtag.inputs.clock import Clock
    from cedtag.records import FileEnd, Source

MAX_TAGS = 4_000_000  # about 15 MB of page, and a tenth of a second for a browser to go through
_MAX_MS = 2**32 - 1
_SCORE_STEPS = 10_000  # scores have four decimals

_Step = tuple[int, int, list[tuple[int, int]]]  # start and stop in ms, and its tags: class and score


@dataclass(slots=True)
class Archive:
    """Recordings, the steps (windows or events) of each in order of time, and the tags of each step.

    Times are milliseconds, scores ten-thousandths. `least_score` is the one below which tags were left out.
    """

    names: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)  # to the audio, relative to the page
    notes: dict[int, str] = field(default_factory=dict)  # recording -> what is wrong with it
    classes: list[str] = field(default_factory=list)
    least_score: int = 0
    started: array[float] = field(default_factory=lambda: array("d"))  # ms of the recorder's wall clock, or NaN
    duration: array[int] = field(default_factory=lambda: array("I"))
    num_steps: array[int] = field(default_factory=lambda: array("I"))
    step_start: array[int] = field(default_factory=lambda: array("I"))
    step_length: array[int] = field(default_factory=lambda: array("I"))
    num_tags: array[int] = field(default_factory=lambda: array("H"))
    tag_class: array[int] = field(default_factory=lambda: array("H"))
    tag_score: array[int] = field(default_factory=lambda: array("H"))
    status: array[int] = field(default_factory=lambda: array("B"))


def collect(
    results: Iterable[TagResult | SoundEvent | FileEnd | FileFailed],
    folder: Path,
    *,
    least_score: float = 0,
    max_tags: int = MAX_TAGS,
    clock: Clock | None = None,
) -> Archive:
    """The archive in results, for a page in `folder`; of too many tags the weakest are left out.

    Start times that the results do not hold are searched with the clock.
    """
    archive = Archive(least_score=round(least_score * _SCORE_STEPS))
    places: dict[tuple[int, str], int] = {}
    steps: list[_Step] = []
    for result in results:
        if isinstance(result, TagResult | SoundEvent):
            if step := _step(result, archive, places):
                steps.append(step)
        else:
            _add_recording(archive, result, sorted(steps))
            archive.links.append(_link(result.source, folder))
            archive.started.append(_wall_clock_ms(result.source, clock))
            steps = []
    _leave_out(archive, max_tags)
    return archive


def _step(result: TagResult | SoundEvent, archive: Archive, places: dict[tuple[int, str], int]) -> _Step | None:
    if isinstance(result, SoundEvent):
        tags_of_step = [(result.index, result.label, result.peak)]
    else:
        tags_of_step = [(tag.index, tag.label, tag.score) for tag in result.tags]
    tags = []
    for index, label, score in tags_of_step:
        if (ten_thousandths := round(score * _SCORE_STEPS)) >= archive.least_score:
            place = places.setdefault((index, label), len(places))
            if place == len(archive.classes):
                archive.classes.append(label)
            tags.append((place, ten_thousandths))
    return (result.start // 16, result.stop // 16, tags) if tags else None


def _add_recording(archive: Archive, end: FileEnd | FileFailed, steps: list[_Step]) -> None:
    if isinstance(end, FileFailed):
        status, note, duration = "failed", end.error.removeprefix(f"{end.source.name}: "), 0
    else:
        status, note, duration = end.status, "; ".join((*end.problems, *end.warnings)), end.num_samples // 16
    if note:
        archive.notes[len(archive.names)] = note
    archive.names.append(end.source.name)
    archive.duration.append(min(duration, _MAX_MS))
    archive.status.append(STATUSES.index(status))
    archive.num_steps.append(len(steps))
    for start, stop, tags in steps:
        archive.step_start.append(min(start, _MAX_MS))
        archive.step_length.append(min(stop - start, _MAX_MS))
        archive.num_tags.append(len(tags))
        for place, score in tags:
            archive.tag_class.append(place)
            archive.tag_score.append(score)


def _wall_clock_ms(source: Source, clock: Clock | None) -> float:
    """When a recording began, in milliseconds since 1970 by the clock where it was made; NaN when it is unknown."""
    if isinstance(source, TimedSource):
        began: datetime | None = datetime.fromisoformat(source.began)
    else:
        began = start_time_of(source, clock) if clock else None
    return began.replace(tzinfo=timezone.utc).timestamp() * 1000 if began else float("nan")


def _link(source: Source, folder: Path) -> str:
    """The address of a recording from a page in `folder`: never one with a scheme, whatever the file is called."""
    path = os.path.relpath(source.path, folder)
    return quote(os.fsencode(path).replace(os.fsencode(os.sep), b"/"))


def _leave_out(archive: Archive, max_tags: int) -> None:
    """Raise the least score until no more than `max_tags` are left."""
    if len(archive.tag_score) <= max_tags:
        return
    scores = np.frombuffer(archive.tag_score, np.uint16)
    at_least = np.bincount(scores, minlength=_SCORE_STEPS + 1)[::-1].cumsum()[::-1]
    archive.least_score = int(np.argmax(np.append(at_least, 0) <= max_tags))
    kept = scores >= archive.least_score
    step_of_tag = np.repeat(np.arange(len(archive.num_tags)), archive.num_tags)[kept]
    num_tags = np.bincount(step_of_tag, minlength=len(archive.num_tags))
    step_kept = num_tags > 0
    recording_of_step = np.repeat(np.arange(len(archive.names)), archive.num_steps)[step_kept]
    archive.num_steps = _array("I", np.bincount(recording_of_step, minlength=len(archive.names)))
    archive.step_start = _array("I", np.asarray(archive.step_start)[step_kept])
    archive.step_length = _array("I", np.asarray(archive.step_length)[step_kept])
    archive.num_tags = _array("H", num_tags[step_kept])
    archive.tag_class = _array("H", np.asarray(archive.tag_class)[kept])
    archive.tag_score = _array("H", scores[kept])


def _array(kind: str, values: np.ndarray) -> array[int]:
    return array(kind, values.astype(np.dtype(kind)).tobytes())
