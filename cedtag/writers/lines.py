"""JSON lines: one object per window or event, for pipelines."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from itertools import pairwise
from typing import IO, TYPE_CHECKING

from cedtag.labels.tagged import SCALE
from cedtag.records import SoundEvent, TagResult, seconds
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS
from cedtag.writers.clock_columns import clock_times_at, shows_clock
from cedtag.writers.per_recording import Totals, is_per_recording

if TYPE_CHECKING:
    from cedtag.labels.table import Label
    from cedtag.labels.tagged import TaggedWindows
    from cedtag.records import Result, Source
    from cedtag.writers.run_info import RunInfo


class JsonLinesWriter:
    """A head with settings and classes; the windows or events of a recording; its outcome; the next recording.

    ASCII JSON; bytes of a name that are not UTF-8 are lone surrogates, which JSON carries. The head is left out where
    neither settings nor outcomes are known. With the layout `file` there are outcomes alone, with their classes.
    """

    needs_classes = has_channels = has_file_layout = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out = out
        self._objects = JsonObjects(has_clock=shows_clock(run))
        self._totals = Totals(run) if is_per_recording(run) else None
        if run.labels:
            self._out.write(encode(run.head()) + b"\n")

    def write(self, result: Result) -> None:
        if isinstance(result, TagResult | SoundEvent):
            if self._totals is not None:
                self._totals.add(result)
                return
            self._out.write(self._objects.of(result).encode() + b"\n")
            return
        row = result.to_dict() if self._totals is None else self._totals.to_json(result)
        self._out.write(encode(row) + b"\n")

    def write_windows(self, windows: TaggedWindows) -> None:
        """Write many windows at once."""
        if self._totals is not None:
            for result in windows.results():
                self._totals.add(result)
            return
        self._out.write("".join([f"{one}\n" for one in self._objects.of_windows(windows)]).encode())

    def close(self) -> None:
        """Nothing stands at the end."""


class JsonObjects:
    """Windows and events as JSON objects, each with its file unless `names_file` is off."""

    def __init__(self, *, has_clock: bool, names_file: bool = True) -> None:
        self._has_clock, self._names_file = has_clock, names_file
        self._files: dict[str, str] = {}  # the last recording alone
        self._classes: dict[tuple[int, str, str], str] = {}  # as they begin the object of a tag
        self._labels: tuple[Label, ...] = ()
        self._what_of: list[str] = []  # these labels

    def of(self, result: TagResult | SoundEvent) -> str:
        """The object of a window or an event."""
        where = self._where(result.source, result.start, result.stop, result.channel)
        if isinstance(result, SoundEvent):
            what = self._what(result.index, result.mid, result.label)
            return f'{{{where}, {what}, "peak": {_text(result.peak)}, "mean": {_text(result.mean)}}}'
        tags = [f'{{{self._what(tag.index, tag.mid, tag.label)}, "score": {_text(tag.score)}}}' for tag in result.tags]
        return _window(where, tags)

    def of_windows(self, windows: TaggedWindows) -> list[str]:
        """The objects of many windows."""
        if windows.labels is not self._labels:
            self._labels = windows.labels
            self._what_of = [self._what(label.index, label.mid, label.name) for label in windows.labels]
        what, scores = self._what_of, _scores()
        tags = [
            f'{{{what[place]}, "score": {scores[score]}}}'
            for place, score in zip(windows.tags.places.tolist(), windows.tags.scores.tolist(), strict=True)
        ]
        bounds = pairwise(windows.tags.starts.tolist())
        return [
            _window(self._where(windows.source, *where), tags[begin:end])
            for where, (begin, end) in zip(windows.where, bounds, strict=True)
        ]

    def _what(self, index: int, mid: str, label: str) -> str:
        """The fields of a class, made once."""
        text = self._classes.get((index, mid, label))
        if text is None:
            text = self._classes[index, mid, label] = _text({"index": index, "mid": mid, "label": label})[1:-1]
        return text

    def _where(self, source: Source, start: int, stop: int, channel: int) -> str:
        """The file, the times, those on the clock, and the channel where each is by itself."""
        file = self._file(source.name) if self._names_file else ""
        clock = ""
        if self._has_clock:
            times = clock_times_at(source, start, stop) or (None, None)
            clock = f", {_text(dict(zip(CLOCK_COLUMNS, times, strict=True)))[1:-1]}"
        shown = f', "channel": {channel}' if channel else ""
        return f'{file}"start": {_seconds(start)}, "end": {_seconds(stop)}{clock}{shown}'

    def _file(self, name: str) -> str:
        text = self._files.get(name)
        if text is None:
            self._files = {name: (text := f'"file": {_text(name)}, ')}
        return text


def _window(where: str, tags: list[str]) -> str:
    return f'{{{where}, "tags": [{", ".join(tags)}]}}'


@lru_cache(maxsize=1 << 12)
def _seconds(sample: int) -> str:
    return _text(seconds(sample))


@cache
def _scores() -> list[str]:
    """All scores, by their ten thousandths."""
    return [_text(score / SCALE) for score in range(SCALE + 1)]


_ENCODER = json.JSONEncoder(allow_nan=False)


def _text(value: object) -> str:
    return _ENCODER.encode(value)


def encode(value: object) -> bytes:
    return _text(value).encode()
