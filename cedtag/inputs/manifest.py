"""Labelled recordings: a folder with one sub-folder per class, a manifest, or AudioSet's segment list."""

from __future__ import annotations

import csv
import hashlib
import math
import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.audio import AUDIO_SUFFIXES
from cedtag.audio.members import is_archive
from cedtag.audio.places import is_elsewhere, may_be_there, placed
from cedtag.errors import InputError
from cedtag.inputs.data_settings import DataSettings
from cedtag.labels.table import audioset
from cedtag.records import SAMPLE_RATE_HZ
from cedtag.system.remote import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SEPARATOR = ";"
YTID_LENGTH = 11
LATEST_S = 1e9  # in a recording: 31 years


@dataclass(frozen=True, slots=True)
class Example:
    """Samples `start` to `stop` (None: the end) of the recording at `path`, with all their labels.

    `name` is the name of the recording in the data. Examples of one `group` come from one source.
    """

    path: str
    name: str
    labels: tuple[str, ...]
    start: int = 0
    stop: int | None = None
    fold: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class LabelledData:
    """The examples that were read at `path`: all, or those of `folds`; `others` are those of the other folds.

    With `keep_going` those that cannot be used are left out.
    """

    path: Path
    folds: tuple[str, ...]
    examples: tuple[Example, ...]
    others: tuple[Example, ...] = ()
    keep_going: bool = True

    def files(self) -> list[str]:
        """The data itself and all its recordings, which nothing may be written over."""
        return [os.fspath(self.path), *files_of((*self.examples, *self.others))]


def read_data(path: Path, settings: DataSettings | None = None) -> LabelledData:
    """Read a folder with one sub-folder per class, a manifest, or AudioSet's segment list.

    A manifest is a CSV or TSV file with the columns file,labels and, where needed, start, end (seconds), fold and
    group; several labels are separated by ";". A file may be a URL, or a member of an archive (`day.tar!/a.wav`).
    Raises InputError for data that cannot be read, and for missing recordings.
    """
    settings = settings or DataSettings()
    examples = read_examples(path, settings.audio)
    selected = tuple(select_folds(examples, settings.folds))
    others = tuple(one for one in examples if settings.folds and one.fold not in settings.folds)
    return LabelledData(path, settings.folds, selected, others, settings.keep_going)


def read_examples(data: Path, audio: Path | None = None, *, needs_labels: bool = True) -> list[Example]:
    """All examples of `data`; the files of a manifest lie below `audio`, or else beside the manifest.

    Without `needs_labels` a manifest may have no column of labels.
    """
    require_here(data, audio)
    if os.path.isdir(data):  # noqa: PTH112 -- Path.is_dir raises an error for a name that is too long
        return _of_folder(data)
    rows = _rows(data)
    if rows and rows[0] and rows[0][0].startswith("#"):
        return _of_segments(data, rows, audio)
    return _of_manifest(data, rows, audio or data.parent, {"file", "labels"} if needs_labels else {"file"})


def require_here(data: Path, audio: Path | None = None) -> None:
    """InputError for data, or its folder of recordings, that is behind a URL or an archive."""
    for path in (data, audio):
        if path is not None and (is_elsewhere(path) or _is_archive(path)):
            name = str(path).replace(":/", "://", 1) if is_elsewhere(path) else str(path)
            raise InputError(
                f"{name}: labelled data is a folder or a manifest here; name what is in buckets and archives in the "
                "column 'file' of a manifest, such as s3://bucket/a.wav or day.tar!/a.wav"
            )


def _is_archive(path: Path) -> bool:
    return is_archive(str(path)) and not os.path.isdir(path)  # noqa: PTH112 -- as in `read_examples`


def require_audio(data: Path, examples: Iterable[Example]) -> None:
    """InputError for examples without a recording, as those of AudioSet's segments are without a folder."""
    if not all(example.path for example in examples):
        raise InputError(f"{data}: names YouTube clips, not files; name the folder that they are in with `audio`")


def files_of(examples: Iterable[Example]) -> list[str]:
    """The recordings of the examples, each once."""
    return list(dict.fromkeys(example.path for example in examples if example.path))


def select_folds(examples: Sequence[Example], folds: Sequence[str]) -> list[Example]:
    """The examples of these folds, all without any; InputError for a fold that no example is in."""
    if not folds:
        return list(examples)
    known = {example.fold for example in examples}
    for fold in folds:
        if fold not in known:
            there = ", ".join(sorted(known - {""})) or "none: the data has no column 'fold'"
            raise InputError(f"fold {fold}: no example is in it (folds of the data: {there})")
    return [example for example in examples if example.fold in folds]


def examples_digest(examples: Iterable[Example]) -> str:
    """A hash of the examples without the paths of their recordings."""
    content = [(one.name, one.labels, one.start, one.stop, one.fold) for one in examples]
    return hashlib.sha256(repr(content).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def classes_of(examples: Iterable[Example]) -> tuple[str, ...]:
    """The labels that occur: AudioSet's classes in AudioSet's order, then all others by name."""
    order = {label.name: label.index for label in audioset()}
    names = {name for example in examples for name in example.labels}
    return tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))


def canonical(label: str) -> str:
    """AudioSet's name for a MID or a name in any case; any other label as it is."""
    return _audioset_names().get(label.casefold(), label)


@cache
def _audioset_names() -> dict[str, str]:
    return {key.casefold(): label.name for label in audioset() for key in (label.mid, label.name)}


def _of_folder(root: Path) -> list[Example]:
    examples = []
    for folder in sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file())
        if not files:
            raise InputError(f"{folder}: the class has no recording; put some in or remove the folder")
        label = canonical(folder.name)
        examples += [Example(str(file), file.relative_to(root).as_posix(), (label,)) for file in files]
    if not examples:
        raise InputError(f"{root}: no folder of recordings; expected one sub-folder per class")
    return examples


def without_class(data: Path) -> list[Path]:
    """The recordings that lie beside the sub-folders of a folder, where no class is told: they are left out."""
    if not os.path.isdir(data):  # noqa: PTH112 -- as in `read_examples`
        return []
    return sorted(entry for entry in data.iterdir() if entry.suffix.lower() in AUDIO_SUFFIXES and entry.is_file())


def _rows(file: Path) -> list[list[str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            delimiter = "\t" if "\t" in head else ","
            return list(csv.reader(stream, delimiter=delimiter, skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not a CSV or TSV manifest ({error})") from error
    except FileNotFoundError as error:
        raise InputError(f"{file}: no such folder or manifest") from error
    except (OSError, ValueError) as error:  # ValueError: a name with NUL
        raise InputError(f"{file}: cannot be read ({getattr(error, 'strerror', error)})") from error


def _of_manifest(file: Path, rows: list[list[str]], audio: Path, needed: set[str]) -> list[Example]:
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    if not needed <= set(header):
        columns = " and ".join(map(repr, sorted(needed)))
        raise InputError(f"{file}: the first line must name the columns {columns} (and may: start, end, fold, group)")
    found: dict[tuple[str, int, int | None], Example] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        cells = dict(zip(header, row, strict=False))
        if len(row) < len(header) or not cells["file"]:
            raise InputError(f"{file}, line {number}: {len(row)} of {len(header)} columns; expected {','.join(header)}")
        example = _example(cells, audio, f"{file}, line {number}")
        key = (example.path, example.start, example.stop)
        if key in found:
            example = replace(example, labels=tuple(dict.fromkeys(found[key].labels + example.labels)))
        found[key] = example
    if not found:
        raise InputError(f"{file}: no rows")
    examples = list(found.values())
    _check_places(file, examples)
    _require(file, [example.path for example in examples])
    return examples


def _check_places(file: Path, examples: Iterable[Example]) -> None:
    """InputError for a recording that is in two folds or groups: what is learned of one part helps with the other."""
    places: dict[str, Example] = {}
    for example in examples:
        known = places.setdefault(example.path, example)
        for kind in ("fold", "group"):
            one, other = sorted((getattr(known, kind), getattr(example, kind)))
            if one != other:
                raise InputError(f"{file}: {example.name} is in the {kind}s {one!r} and {other!r}; give it one")


def _example(cells: dict[str, str], audio: Path, where: str) -> Example:
    start = _samples(cells.get("start", ""), where) or 0
    stop = _samples(cells.get("end", ""), where)
    if stop is not None and stop <= start:
        raise InputError(f"{where}: the end is not after the start")
    if is_elsewhere(cells["file"]) and (refused := refusal(cells["file"]))[1]:
        raise InputError(f"{where}: {refused[0]}: {refused[1]}")
    names = (name.strip() for name in cells.get("labels", "").split(SEPARATOR))
    labels = tuple(dict.fromkeys(canonical(name) for name in names if name))
    fold, group = (cells.get(name, "").strip() for name in ("fold", "group"))
    return Example(placed(cells["file"], audio), cells["file"], labels, start, stop, fold, group)


def _samples(seconds: str, where: str) -> int | None:
    if not seconds.strip():
        return None
    try:
        number = float(seconds)
    except ValueError:
        number = math.nan
    if not 0 <= number <= LATEST_S:
        raise InputError(f"{where}: {seconds!r} is no time in seconds")
    return round(number * SAMPLE_RATE_HZ)


def _require(file: Path, paths: Iterable[str]) -> None:
    missing = [path for path in dict.fromkeys(paths) if not may_be_there(path)]
    if missing:
        raise InputError(
            f"{file}: {len(missing)} recordings are not there, the first is {missing[0]}; "
            "name their folder with `audio`"
        )


def _of_segments(file: Path, rows: list[list[str]], audio: Path | None) -> list[Example]:
    """The examples of AudioSet's `# YTID, start_seconds, end_seconds, positive_labels`; clips below `audio` are cut.

    Many of its videos are gone, so a missing clip is no error. Without `audio` each segment has its YTID alone, to be
    matched with the names in existing results.
    """
    segments = [(row[0], row[3].split(",")) for row in rows if len(row) > 3 and not row[0].startswith("#")]
    if not segments:
        raise InputError(f"{file}: no segments")
    labels = {ytid: tuple(canonical(mid.strip()) for mid in mids) for ytid, mids in segments}
    if audio is None:
        return [Example("", ytid, names) for ytid, names in labels.items()]
    examples = [
        Example(str(clip), clip.relative_to(audio).as_posix(), labels[ytid])
        for clip in sorted(audio.rglob("*"))
        if clip.suffix.lower() in AUDIO_SUFFIXES
        for ytid in ytids(clip.name)
        if ytid in labels
    ]
    if not examples:
        raise InputError(f"{audio}: none of the {len(segments)} segments of {file} is there under its YouTube name")
    return examples


def ytids(name: str) -> Iterator[str]:
    """The parts of a clip's file name that can be its YouTube name: the beginning, with or without a first `Y`."""
    stem = Path(name).stem
    yield stem[:YTID_LENGTH]
    if stem.startswith("Y"):
        yield stem[1 : YTID_LENGTH + 1]
