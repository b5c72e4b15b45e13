"""CSV and TSV: one row per tag, or one per window with a column per class."""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING

from cedtag.records import TagResult
from cedtag.sinks import seconds

if TYPE_CHECKING:
    from cedtag.run import Run
    from cedtag.sinks import Result

COLUMNS = ("file", "start", "end", "rank", "index", "mid", "label", "score")


class CsvSink:
    """RFC 4180 with `\\n`, UTF-8; names that are not UTF-8 keep their bytes."""

    delimiter = ","

    def __init__(self, out: IO[bytes], run: Run) -> None:
        self._out = out
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, delimiter=self.delimiter, lineterminator="\n")
        self._columns = {label.index: i for i, label in enumerate(run.labels)} if run.layout == "wide" else None
        names = [label.name for label in run.labels]
        self._writer.writerow(COLUMNS if self._columns is None else ["file", "start", "end", *names])
        self._flush()

    def write(self, result: Result) -> None:
        if not isinstance(result, TagResult):
            return
        where = (result.source.name, f"{seconds(result.start):.3f}", f"{seconds(result.stop):.3f}")
        if self._columns is None:
            for rank, tag in enumerate(result.tags, 1):
                self._writer.writerow((*where, rank, tag.index, tag.mid, tag.label, f"{tag.score:.4f}"))
        else:
            scores = [""] * len(self._columns)
            for tag in result.tags:
                scores[self._columns[tag.index]] = f"{tag.score:.4f}"
            self._writer.writerow((*where, *scores))
        self._flush()

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        self._out.write(self._text.getvalue().encode("utf-8", "surrogateescape"))
        self._text.seek(0)
        self._text.truncate()


class TsvSink(CsvSink):
    """The same with tabs; a field with a tab, a quote or a newline in it is quoted."""

    delimiter = "\t"
