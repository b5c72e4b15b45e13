"""Scores to be judged: a model's, computed now, or those in rows that cedtag wrote; with the truth beside them."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from cedtag.errors import InputError
from cedtag.inputs.manifest import canonical, ytids
from cedtag.inputs.segments import read_segments
from cedtag.inputs.windows import sliding_windows
from cedtag.labels.table import no_such_label
from cedtag.records import SAMPLE_RATE_HZ, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cedtag.evaluation.metrics import Matrix
    from cedtag.inputs.manifest import Example
    from cedtag.scoring import Scorer


@dataclass(frozen=True, slots=True)
class Judged:
    """What there is to judge: `truth` and `scores` are `(clips, classes)`; `notes` say what limits them."""

    classes: tuple[str, ...]
    truth: Matrix
    scores: Matrix
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One score that was written: `start` and `stop` in samples."""

    file: str
    start: int
    stop: int
    label: str
    score: float


def score_examples(
    examples: Sequence[Example],
    scorer: Scorer,
    *,
    window: int,
    jobs: int,
    skip_unknown: bool,
    on_clip: Callable[[], object] = lambda: None,
) -> Judged:
    """What a model makes of every example: for each class the highest score of any of its windows."""
    classes = tuple(canonical(label.name) for label in scorer.labels)
    truth, notes = truth_matrix(examples, classes, skip_unknown=skip_unknown)
    files = [list(segments) for _, segments in groupby(examples, key=lambda example: example.path)]

    def score(segments: list[Example]) -> list[Matrix]:
        scores = []
        for segment, samples in zip(segments, read_segments(segments, scorer.shortest_window), strict=True):
            source = Source(segment.path, segment.name, segment.name)
            windows = list(sliding_windows([samples], source, window, window))
            scores.append(scorer.score(windows).max(0).astype(np.float64))
            on_clip()
        return scores

    with ThreadPoolExecutor(jobs, initializer=scorer.prepare_thread) as pool:
        scores = [row for rows in pool.map(score, files) for row in rows]
    return Judged(classes, truth, np.stack(scores), notes)


def scores_of_rows(examples: Sequence[Example], file: Path) -> Judged:
    """What the rows in `file` say of every example: for each class the highest score of a window that belongs to it.

    A window belongs to the examples of its recording that it overlaps by half of itself or of them. What was not
    written counts as 0.
    """
    rows = list(read_rows(file))
    written = dict.fromkeys(row.label for row in rows)
    classes = tuple(dict.fromkeys([*written, *(name for example in examples for name in example.labels)]))
    truth, _ = truth_matrix(examples, classes, skip_unknown=False)
    column = {name: index for index, name in enumerate(classes)}
    find = recording_finder(examples)
    scores = np.full(truth.shape, np.nan)
    for row in rows:
        for place in find(row.file):
            if _overlap(row, examples[place]):
                scores[place, column[row.label]] = np.fmax(scores[place, column[row.label]], row.score)
    missing = np.isnan(scores)
    if missing.all():
        raise InputError(f"--scores {file}: no row is about a clip of the data; do both name their recordings alike?")
    notes = [f"{name}: no row has this label" for name in classes if name not in written]
    if silent := int(missing.all(1).sum()):
        notes.append(f"{silent} of {len(examples)} clips have no row")
    if missing.any():
        notes.append(f"{missing.mean():.0%} of the scores were not written and count as 0; tag with -k 0 -t 0 for all")
    return Judged(classes, truth, np.nan_to_num(scores), tuple(notes))


def truth_matrix(
    examples: Sequence[Example], classes: Sequence[str], *, skip_unknown: bool
) -> tuple[Matrix, tuple[str, ...]]:
    """1 where an example has the class of the column; labels that are no class are an error, or a note."""
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
            "(--skip-unknown leaves them out)"
        )
    return truth, tuple(f"{name}: left out, the model has no such class ({n} clips)" for name, n in unknown.items())


def read_rows(file: Path) -> Iterator[Row]:
    """The rows of a CSV, TSV or JSONL file that cedtag wrote, whatever its name ends in."""
    try:
        with file.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            yield from (
                _json_rows(stream) if head.startswith("{") else _table_rows(stream, "\t" if "\t" in head else ",")
            )
    except OSError as error:
        raise InputError(f"--scores {file}: cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"--scores {file}: not rows that cedtag wrote ({error!r}); write them with -f jsonl, csv or tsv"
        ) from error


def _json_rows(lines: Iterable[str]) -> Iterator[Row]:
    for line in lines:
        window = json.loads(line)
        where = window["file"], _samples(window["start"]), _samples(window["end"])
        for tag in window["tags"]:
            yield Row(*where, canonical(tag["label"]), float(tag["score"]))


def _table_rows(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    for row in csv.DictReader(lines, delimiter=delimiter):
        times = _samples(row["start"]), _samples(row["end"])
        yield Row(row["file"], *times, canonical(row["label"]), float(row["score"]))


def _samples(seconds: str | float) -> int:
    return round(float(seconds) * SAMPLE_RATE_HZ)


def recording_finder(examples: Sequence[Example]) -> Callable[[str], list[int]]:
    """A function from a file's name to where the examples of that recording are.

    Rows and data may name a recording from different folders, so that one name is the end of the other; a clip of
    AudioSet may be called by its YouTube name. An end that several recordings share names none of them.
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


def _ends(path: str) -> list[str]:
    """The path and all that is left when folders are taken off its front."""
    parts = PurePath(path).parts
    return [str(PurePath(*parts[first:])) for first in range(len(parts))]


def _overlap(row: Row, example: Example) -> bool:
    """Whether a window overlaps an example by half of the shorter of the two."""
    stop = row.stop if example.stop is None else example.stop
    common = min(stop, row.stop) - max(example.start, row.start)
    return common > 0 and 2 * common >= min(stop - example.start, row.stop - row.start)
