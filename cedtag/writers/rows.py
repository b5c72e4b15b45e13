"""CSV and TSV: one row per tag or event, or one per window or recording with columns per class."""

from __future__ import annotations

import codecs
import io
from typing import IO, TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.records import SoundEvent, TagResult, seconds
from cedtag.writers.channel_column import COLUMN as CHANNEL_COLUMN
from cedtag.writers.channel_column import shows_channel
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS
from cedtag.writers.clock_columns import clock_times, shows_clock
from cedtag.writers.per_recording import Totals, is_per_recording
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from cedtag.records import Result, Tag
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
        self._file = ("", "")  # the name of the last recording, and how it stands in rows
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
        where = self._where(result)
        if isinstance(result, SoundEvent):
            scores = (f"{result.peak:.4f}", f"{result.mean:.4f}")
            self._writer.writerow((*where, result.index, result.mid, result.label, *scores))
        elif self._columns is None:
            self._write_tags(where, result.tags)
        else:
            by_column = [""] * len(self._columns)
            for tag in result.tags:
                by_column[self._columns[tag.index]] = f"{tag.score:.4f}"
            self._writer.writerow((*where, *by_column))
        self._flush()

    def _write_tags(self, where: tuple[str, ...], tags: tuple[Tag, ...]) -> None:
        """A row per tag; what rows have in common is quoted once."""
        if self._file[0] != where[0]:
            self._file = where[0], self._writer.text_of(where[0])
        place = self.delimiter.join((self._file[1], *where[1:]))
        for rank, tag in enumerate(tags, 1):
            what = self._classes.get((tag.index, tag.mid, tag.label))
            if what is None:
                what = self._classes[tag.index, tag.mid, tag.label] = self._writer.text_of(
                    tag.index, tag.mid, tag.label
                )
            self._text.write(f"{place}{self.delimiter}{rank}{self.delimiter}{what}{self.delimiter}{tag.score:.4f}\n")

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

    def _where(self, result: TagResult | SoundEvent) -> tuple[str, ...]:
        clock = (clock_times(result) or ("", "")) if self._has_clock else ()
        channel = (str(result.channel),) if self._has_channel else ()
        return result.source.name, f"{seconds(result.start):.3f}", f"{seconds(result.stop):.3f}", *clock, *channel


class TsvWriter(CsvWriter):
    """The same with tabs; a field with a tab, a quote or a newline in it is quoted."""

    delimiter = "\t"
