"""CSV and TSV: one row per tag or event, or one per window or recording with columns per class."""

from __future__ import annotations

import codecs
import io
from functools import cache, lru_cache
from typing import IO, TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.labels.tagged import SCALE
from cedtag.records import SoundEvent, TagResult, seconds
from cedtag.writers.channel_column import COLUMN as CHANNEL_COLUMN
from cedtag.writers.channel_column import shows_channel
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS
from cedtag.writers.clock_columns import clock_times_at, shows_clock
from cedtag.writers.per_recording import Totals, is_per_recording
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.labels.table import Label
    from cedtag.labels.tagged import TaggedWindows
    from cedtag.records import Result, Source
    from cedtag.writers.run_info import RunInfo

WHERE = ("file", "start", "end")
TAG = ("rank", "index", "mid", "label", "score")
EVENT = ("index", "mid", "label", "peak", "mean")


class CsvWriter:
    """RFC 4180 with `\\n`, UTF-8; names that are not UTF-8 keep their bytes."""

    delimiter = ","
    where = WHERE
    needs_classes = has_layouts = has_file_layout = has_channels = has_bom = True
    skips_silence = True  # but in the layout `wide`

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out = out
        if run.bom:
            out.write(codecs.BOM_UTF8)
        self._text = io.StringIO()
        self._writer = RowWriter(self._text, self.delimiter)
        self._columns = {label.index: i for i, label in enumerate(run.labels)} if run.layout == "wide" else None
        self._run = run
        self._has_clock, self._has_channel = shows_clock(run), shows_channel(run)
        self._header: tuple[str, ...] = ()
        self._classes: dict[tuple[int, str, str], str] = {}  # as they stand in rows
        self._labels: tuple[Label, ...] = ()
        self._what_of: list[str] = []  # these labels
        self._files: dict[str, str] = {}  # the last recording alone
        self._totals = Totals(run) if is_per_recording(run) else None

    def write(self, result: Result) -> None:
        if self._totals is not None:
            self._write_total(self._totals, result)
            return
        if not isinstance(result, TagResult | SoundEvent):
            return
        self._begin(shows_events=isinstance(result, SoundEvent))
        if not (isinstance(result, SoundEvent) or self._columns is not None or result.tags):
            return
        where = self._where(result.source, result.start, result.stop, result.channel)
        if isinstance(result, SoundEvent):
            what = self._what(result.index, result.mid, result.label)
            self._write_fields(where, what, f"{result.peak:.4f}", f"{result.mean:.4f}")
        elif self._columns is None:
            whats = [self._what(tag.index, tag.mid, tag.label) for tag in result.tags]
            self._write_tags([where], [0, len(whats)], whats, [f"{tag.score:.4f}" for tag in result.tags])
        else:
            by_column = [""] * len(self._columns)
            for tag in result.tags:
                by_column[self._columns[tag.index]] = f"{tag.score:.4f}"
            self._write_fields(where, *by_column)
        self._flush()

    def write_windows(self, windows: TaggedWindows) -> None:
        """Write many windows at once."""
        if self._totals is not None or self._columns is not None:
            for result in windows.results():
                self.write(result)
            return
        self._begin(shows_events=False)
        if windows.labels is not self._labels:
            self._labels = windows.labels
            self._what_of = [self._what(label.index, label.mid, label.name) for label in windows.labels]
        where = [self._where(windows.source, *one) for one in windows.where]
        places, scores = windows.tags.places.tolist(), windows.tags.scores.tolist()
        shown = shown_scores()
        self._write_tags(
            where,
            windows.tags.starts.tolist(),
            [self._what_of[place] for place in places],
            [shown[score] for score in scores],
        )
        self._flush()

    def _write_tags(
        self, where: Sequence[str], starts: Sequence[int], what: Sequence[str], scores: Sequence[str]
    ) -> None:
        """A row per tag; those of window `n` are from `starts[n]` to `starts[n + 1]`."""
        between = self.delimiter
        rows = [
            f"{place}{between}{rank}{between}{what[at]}{between}{scores[at]}\n"
            for place, begin, end in zip(where, starts, starts[1:], strict=False)
            for rank, at in enumerate(range(begin, end), 1)
        ]
        self._text.write("".join(rows))

    def _write_fields(self, *fields: str) -> None:
        """A row of fields that are quoted already."""
        self._text.write(self.delimiter.join(fields) + "\n")

    def close(self) -> None:
        if self._totals is not None:
            self._begin_totals(self._totals)
        elif not self._header:
            self._begin(shows_events=self._run.events is not None)
        self._flush()

    def _write_total(self, totals: Totals, result: Result) -> None:
        if isinstance(result, TagResult | SoundEvent):
            totals.add(result)
            return
        self._begin_totals(totals)
        self._writer.writerow((result.source.name, *totals.row(result)))
        self._flush()

    def _begin_totals(self, totals: Totals) -> None:
        if not self._header:
            self._header = (self.where[0], *totals.header())
            self._writer.writerow(self._header)

    def _begin(self, *, shows_events: bool) -> None:
        """Write the header that fits the first result; rows and events have no place below one header."""
        if not self._header:
            wide = tuple(label.name for label in self._run.labels)
            header = EVENT if shows_events else TAG if self._columns is None else wide
            self._header = header
            channel = (CHANNEL_COLUMN,) if self._has_channel else ()
            self._writer.writerow((*self.where, *(CLOCK_COLUMNS if self._has_clock else ()), *channel, *header))
        elif shows_events != (self._header == EVENT):
            raise InputError("rows and events cannot stand in one table; write them to a file each")

    def _flush(self) -> None:
        self._out.write(self._text.getvalue().encode("utf-8", "surrogateescape"))
        self._text.seek(0)
        self._text.truncate()

    def _what(self, index: int, mid: str, label: str) -> str:
        """A class as it stands in rows, quoted once."""
        text = self._classes.get((index, mid, label))
        if text is None:
            text = self._classes[index, mid, label] = self._writer.text_of(index, mid, label)
        return text

    def _where(self, source: Source, start: int, stop: int, channel: int) -> str:
        """The fields of a row before those of its tag or event."""
        name = self._files.get(source.name)
        if name is None:
            self._files = {source.name: (name := self._writer.text_of(source.name))}
        clock = (clock_times_at(source, start, stop) or ("", "")) if self._has_clock else ()
        shown = (str(channel),) if self._has_channel else ()
        return self.delimiter.join((name, shown_seconds(start), shown_seconds(stop), *clock, *shown))


@lru_cache(maxsize=1 << 12)
def shown_seconds(sample: int) -> str:
    """The position of a sample as it stands in rows."""
    return f"{seconds(sample):.3f}"


@cache
def shown_scores() -> list[str]:
    """All scores, by their ten thousandths, as they stand in rows."""
    return [f"{score / SCALE:.4f}" for score in range(SCALE + 1)]


class TsvWriter(CsvWriter):
    """The same with tabs; a field with a tab, a quote or a newline in it is quoted."""

    delimiter = "\t"
