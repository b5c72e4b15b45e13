"""Predictions beside the truth: scores that a model gives now, or those in existing results."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import AudioError, InputError
from cedtag.inputs.manifest import canonical, ytids
from cedtag.inputs.segments import ReadClips, values_of
from cedtag.labels.table import no_such_label
from cedtag.labels.tag_filter import TagFilter
from cedtag.records import SoundEvent, TagResult
from cedtag.results.read import open_results, result_files

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from cedtag.evaluation.metrics import Matrix, Vector
    from cedtag.inputs.manifest import Example
    from cedtag.labels.table import Label
    from cedtag.records import Outcome


@dataclass(frozen=True, slots=True)
class Predictions:
    """`truth` and `scores`, both `(clips, classes)` with values in [0, 1]; `notes` say what limits them.

    `recordings` counts those that were read for them by how they ended, and the clips that were left out.
    """

    classes: tuple[str, ...]
    truth: Matrix
    scores: Matrix
    notes: tuple[str, ...] = ()
    recordings: Mapping[str, int] = field(default_factory=dict)


def score_examples(
    examples: Sequence[Example],
    labels: Sequence[Label],
    outcomes: Generator[Outcome, None, None],
    *,
    skip_unknown: bool,
    keep_going: bool = True,
    on_recording: Callable[[ReadClips[Vector]], object] = lambda read: None,
) -> Predictions:
    """The predictions of a model of these classes, by the outcomes of the recordings of the examples: see `clip_work`.

    Clips that cannot be used are left out, or without `keep_going` an AudioError, as it is if none is left.
    `on_recording` is called after each recording, in order.
    """
    counts = {"done": 0, "partial": 0, "failed": 0}

    def count(read: ReadClips[Vector]) -> None:
        counts["done" if read.status == "ok" else read.status] += 1
        on_recording(read)

    with closing(outcomes):
        classes = tuple(canonical(label.name) for label in labels)
        truth, notes = truth_matrix(examples, classes, skip_unknown=skip_unknown)
        scores: list[Vector | None] = values_of(examples, outcomes, keep_going=keep_going, on_recording=count)
    return _of_used(Predictions(classes, truth, np.empty(0), notes, counts), scores)


def _of_used(all_clips: Predictions, scores: Sequence[Vector | None]) -> Predictions:
    """The predictions of the clips that have scores, with a note about the others; AudioError if none has."""
    used = [place for place, row in enumerate(scores) if row is not None]
    if not used:
        raise AudioError("no clip of the data can be used; mend or replace the recordings")
    truth, recordings = all_clips.truth[used], all_clips.recordings
    left_out = len(scores) - len(used)
    notes = list(all_clips.notes)
    if left_out or recordings["partial"] or recordings["failed"]:
        outcomes = ", ".join(f"{count} {status}" for status, count in recordings.items() if count)
        notes.append(f"recordings: {outcomes}; clips left out: {left_out} of {len(scores)}")
    lost = np.flatnonzero(all_clips.truth.any(0) & ~truth.any(0))
    notes += [f"{all_clips.classes[column]}: no clip with this label is left" for column in lost]
    rows = np.stack([row for row in scores if row is not None])
    counts = {**recordings, "clips_left_out": left_out}
    return replace(all_clips, truth=truth, scores=rows, notes=tuple(notes), recordings=counts)


def scores_of_results(examples: Sequence[Example], file: Path) -> Predictions:
    """The predictions in results: for each class of an example the highest score of any window that belongs to it.

    `file` may be a folder of results with a file for each recording.

    A window belongs to the examples of its recording that it overlaps by half of the shorter of the two. Scores that
    the results do not hold count as 0.
    """
    by_class, has_channels = _written_scores(examples, file)
    classes = tuple(dict.fromkeys([*by_class, *(name for example in examples for name in example.labels)]))
    truth, _ = truth_matrix(examples, classes, skip_unknown=False)
    scores = np.full(truth.shape, np.nan)
    for column, name in enumerate(classes):
        scores[:, column] = by_class.get(name, np.nan)
    missing = np.isnan(scores)
    if missing.all():
        raise InputError(f"{file}: no row is about a clip of the data; do both name their recordings alike?")
    notes = [f"{name}: no row has this label" for name in classes if name not in by_class]
    if has_channels:
        notes.append("the rows are those of each channel by itself; a clip has the highest score of any channel")
    if silent := int(missing.all(1).sum()):
        notes.append(f"{silent} of {len(examples)} clips have no row")
    if missing.any():
        notes.append(f"{missing.mean():.0%} of the scores were not written and count as 0; tag with -k 0 -t 0 for all")
    return Predictions(classes, truth, np.nan_to_num(scores), tuple(notes))


def truth_matrix(
    examples: Sequence[Example], classes: Sequence[str], *, skip_unknown: bool
) -> tuple[Matrix, tuple[str, ...]]:
    """1 where an example has the class of the column, else 0; labels that are no class are an error, or a note."""
    column = {name.casefold(): index for index, name in enumerate(classes)}
    truth = np.zeros((len(examples), len(classes)))
    unknown: dict[str, int] = defaultdict(int)
    for place, example in enumerate(examples):
        for name in example.labels:
            if (index := column.get(name.casefold())) is None:
                unknown[name] += 1
            else:
                truth[place, index] = 1
    if unknown and not (skip_unknown and truth.any()):
        first = next(iter(unknown))
        raise InputError(
            f"the data has labels that the model has not ({len(unknown)} of them): {no_such_label(first, classes)} "
            "(`skip_unknown` leaves them out)"
        )
    return truth, tuple(f"{name}: left out, the model has no such class ({n} clips)" for name, n in unknown.items())


def recording_finder(examples: Sequence[Example]) -> Callable[[str], list[int]]:
    """A function from a file's name to the places of the examples of that recording.

    Results and data may name a recording from different folders, so that one name is the end of the other; a clip of
    AudioSet may have its YouTube name. An end that several recordings share is the name of none.
    """
    places: dict[str, list[int]] = defaultdict(list)
    owners: dict[str, set[str]] = defaultdict(set)
    for place, example in enumerate(examples):
        places[example.name].append(place)
        for end in (*_ends(example.path or example.name), *_ends(example.name)):
            owners[end].add(example.name)

    def find(file: str) -> list[int]:
        if len(named := owners.get(file, set())) == 1:
            return places[next(iter(named))]
        known = (end for end in (*_ends(file), *ytids(file)) if end in places)
        return places.get(next(known, ""), [])

    return find


def _written_scores(examples: Sequence[Example], file: Path) -> tuple[dict[str, Vector], bool]:
    """For each class in the results its highest scores `(examples,)`, NaN where an example has none.

    With it comes whether there are windows of single channels.
    """
    find = recording_finder(examples)
    by_class: dict[str, Vector] = {}
    has_channels = False
    for window in _windows(file):
        has_channels = has_channels or window.channel > 0
        places = [place for place in find(window.source.name) if _belongs(window, examples[place])]
        for tag in window.tags:
            name = canonical(tag.label)
            if name not in by_class:
                by_class[name] = np.full(len(examples), np.nan)
            by_class[name][places] = np.fmax(by_class[name][places], tag.score)
    return by_class, has_channels


def _windows(file: Path) -> Iterator[TagResult]:
    for one in result_files(file):
        for result in open_results(one, TagFilter(threshold=0.0, top_k=0)).results():
            if isinstance(result, SoundEvent):
                raise InputError(f"{one}: holds events; an evaluation needs the scores of windows")
            if isinstance(result, TagResult):
                yield result


def _ends(path: str) -> list[str]:
    """The path, and what is left of it without its first folder, its first two, and so on."""
    parts = PurePath(path).parts
    return [path, *(str(PurePath(*parts[first:])) for first in range(len(parts)))]


def _belongs(window: TagResult, example: Example) -> bool:
    """Whether a window overlaps an example by half of the shorter of the two."""
    stop = window.stop if example.stop is None else example.stop
    common = min(stop, window.stop) - max(example.start, window.start)
    return common > 0 and 2 * common >= min(stop - example.start, window.stop - window.start)
