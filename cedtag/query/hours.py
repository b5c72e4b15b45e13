"""How long each class occurs, in all or by day, by hour of the day or by folder."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from cedtag.records import SAMPLES_PER_MS, FileEnd, FileFailed, SoundEvent, TagResult, TimedSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.records import Result, Source

UNTIMED = ""  # where the start time of a recording is not known
_HOUR_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1)


@dataclass(slots=True)
class Count:
    """How much there is of a class in one bin: windows or events, recordings, and milliseconds, each counted once."""

    pieces: int = 0
    recordings: int = 0
    num_ms: int = 0
    last: int = -1  # the number of the last recording


@dataclass(slots=True)
class Hours:
    """Counts by bin and class `(index, mid, label)`, and the milliseconds that were recorded in each bin.

    A window or event counts in the bin in which it begins; its time is divided where bins meet.
    """

    by: str | None = None
    counts: dict[tuple[str, tuple[int, str, str]], Count] = field(default_factory=lambda: defaultdict(Count))
    recorded_ms: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    part_start: int = 0
    _recording: int = 0
    _bins: _Bins | None = None
    _until: dict[tuple[int, str, str], int] = field(default_factory=dict)

    def take(self, results: Iterable[Result]) -> Iterator[FileEnd | FileFailed]:
        """Count everything, and pass on how recordings ended."""
        for result in results:
            if self._bins is None:
                self._bins = _Bins(result.source, self.by)
            if isinstance(result, TagResult):
                for tag in result.tags:
                    self._add(self._bins, (tag.index, tag.mid, tag.label), result.start, result.stop)
            elif isinstance(result, SoundEvent):
                self._add(self._bins, (result.index, result.mid, result.label), result.start, result.stop)
            else:
                self._end(self._bins, result)
                yield result

    def rows(self) -> Iterator[tuple[str, int | None, str, str, int, int, float, float]]:
        """Bin, index, MID, label, windows or events, recordings, seconds, and seconds of the bin that were recorded.

        By bin, and in it from the longest time down; a bin in which no class occurs has a row without a class.
        """
        ordered = sorted(self.counts.items(), key=lambda one: (one[0][0], -one[1].num_ms, one[0][1]))
        found: dict[str, list[tuple[tuple[int, str, str], Count]]] = defaultdict(list)
        for (bin_, what), count in ordered:
            found[bin_].append((what, count))
        for bin_ in sorted(self.recorded_ms):
            recorded_s = self.recorded_ms[bin_] / 1000
            if bin_ not in found:
                yield bin_, None, "", "", 0, 0, 0.0, recorded_s
            for what, count in found[bin_]:
                yield bin_, *what, count.pieces, count.recordings, count.num_ms / 1000, recorded_s

    def _add(self, bins: _Bins, what: tuple[int, str, str], start: int, stop: int) -> None:
        begin, end = start // SAMPLES_PER_MS, stop // SAMPLES_PER_MS
        own = bins.at(begin)
        self.counts[own, what].pieces += 1
        # Windows that overlap share their time.
        begin = max(begin, min(end, self._until.get(what, 0)))
        self._until[what] = end
        for bin_, num_ms in bins.parts(begin, end) if end > begin else [(own, 0)]:
            count = self.counts[bin_, what]
            count.num_ms += num_ms
            if count.last != self._recording:
                count.recordings += 1
                count.last = self._recording

    def _end(self, bins: _Bins, outcome: FileEnd | FileFailed) -> None:
        if isinstance(outcome, FileEnd):
            begin, end = self.part_start // SAMPLES_PER_MS, outcome.num_samples // SAMPLES_PER_MS
            for bin_, num_ms in bins.parts(begin, max(begin, end)):
                self.recorded_ms[bin_] += num_ms
        self._recording += 1
        self._bins = None
        self._until.clear()


class _Bins:
    """The bins of one recording, by milliseconds from its start."""

    def __init__(self, source: Source, by: str | None) -> None:
        self._by, self._began_ms = by, 0
        self._fixed: str | None = None
        if by is None:
            self._fixed = ""
        elif by == "folder":
            self._fixed = str(PurePath(source.name).parent)
        elif not isinstance(source, TimedSource):
            self._fixed = UNTIMED
        else:
            since = datetime.fromisoformat(source.began).replace(tzinfo=None) - _EPOCH
            self._began_ms = round(since.total_seconds() * 1000)

    def at(self, at_ms: int) -> str:
        """The bin of a moment."""
        if self._fixed is not None:
            return self._fixed
        hours = (self._began_ms + at_ms) // _HOUR_MS
        if self._by == "hour":
            return f"{hours % 24:02d}"
        return datetime.fromordinal(_EPOCH.toordinal() + hours // 24).date().isoformat()

    def parts(self, begin: int, end: int) -> Iterator[tuple[str, int]]:
        """The bins between two moments, with the milliseconds in each."""
        step = _HOUR_MS if self._by == "hour" else 24 * _HOUR_MS
        while self._fixed is None and (cut := step - (self._began_ms + begin) % step) < end - begin:
            yield self.at(begin), cut
            begin += cut
        yield self.at(begin), end - begin
