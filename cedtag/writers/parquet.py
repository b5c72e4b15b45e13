"""Parquet: rows in columns, for data frames. The only file that imports pyarrow."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

from cedtag.errors import MissingPackageError
from cedtag.records import SoundEvent, TagResult, seconds
from cedtag.system.extras import missing
from cedtag.writers import storable
from cedtag.writers.channel_column import COLUMN as CHANNEL_COLUMN
from cedtag.writers.channel_column import shows_channel
from cedtag.writers.clock_columns import COLUMNS as CLOCK_COLUMNS
from cedtag.writers.clock_columns import clock_times, shows_clock

try:
    import pyarrow
    from pyarrow import parquet
except ImportError as error:
    raise MissingPackageError(missing("parquet needs pyarrow", "parquet")) from error

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo

ROWS_PER_GROUP = 50_000
_CLASS = (("index", pyarrow.int32()), ("mid", pyarrow.string()), ("label", pyarrow.string()))
_WHERE = (("file", pyarrow.string()), ("start", pyarrow.float64()), ("end", pyarrow.float64()))
_CLOCK = tuple((name, pyarrow.string()) for name in CLOCK_COLUMNS)
_CHANNEL = ((CHANNEL_COLUMN, pyarrow.int32()),)
TAG = (("rank", pyarrow.int32()), *_CLASS, ("score", pyarrow.float64()))
EVENT = (*_CLASS, ("peak", pyarrow.float64()), ("mean", pyarrow.float64()))


class ParquetWriter:
    """A row per tag, or per event, with the columns of csv; the run's metadata is JSON under the key `cedtag`.

    Bytes of names that are not UTF-8 are written as `\\udcff`. At most one row group is in memory.
    """

    needs_classes = has_channels = skips_silence = True
    is_binary = True  # nothing for a terminal

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        self._out, self._has_clock, self._has_channel = out, shows_clock(run), shows_channel(run)
        self._metadata = {"cedtag": json.dumps(run.to_dict())}
        self._writer: Any = None
        self._rows: list[tuple[object, ...]] = []

    def write(self, result: Result) -> None:
        if not isinstance(result, TagResult | SoundEvent):
            return
        clock = (clock_times(result) or (None, None)) if self._has_clock else ()
        channel = (result.channel,) if self._has_channel else ()
        where = (storable(result.source.name), seconds(result.start), seconds(result.stop), *clock, *channel)
        if isinstance(result, SoundEvent):
            self._rows.append(
                (*where, result.index, storable(result.mid), storable(result.label), result.peak, result.mean)
            )
        else:
            for rank, tag in enumerate(result.tags, 1):
                self._rows.append((*where, rank, tag.index, storable(tag.mid), storable(tag.label), tag.score))
        if self._writer is None:
            self._open(EVENT if isinstance(result, SoundEvent) else TAG)
        if len(self._rows) >= ROWS_PER_GROUP:
            self._write_group()

    def close(self) -> None:
        if self._writer is None:
            self._open(TAG)
        self._write_group()
        self._writer.close()

    def _open(self, columns: tuple[tuple[str, Any], ...]) -> None:
        where = (*_WHERE, *(_CLOCK if self._has_clock else ()), *(_CHANNEL if self._has_channel else ()))
        self._schema = pyarrow.schema([*where, *columns], self._metadata)
        self._writer = parquet.ParquetWriter(self._out, self._schema)

    def _write_group(self) -> None:
        if self._rows:
            columns = [
                pyarrow.array(column, field.type)
                for column, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(pyarrow.Table.from_arrays(columns, schema=self._schema))
            self._rows.clear()
