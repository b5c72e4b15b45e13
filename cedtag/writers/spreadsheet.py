"""CSV for spreadsheets: no cell is taken for a formula, and letters are read as UTF-8."""

from __future__ import annotations

from dataclasses import replace
from typing import IO, TYPE_CHECKING

from cedtag.writers.rows import CsvWriter
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cedtag.writers.run_info import RunInfo

# What begins a formula (OWASP, "CSV injection"), and the apostrophe itself, so that no two texts become one.
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")


class SpreadsheetWriter(CsvWriter):
    """The rows of csv; a text that a spreadsheet could take for a formula has an apostrophe before it.

    The first column has another name than in csv, so that these texts are never read back as names of recordings.
    """

    where = ("recording", "start", "end")

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        super().__init__(out, replace(run, bom=True))
        self._writer = _InertRows(self._text, self.delimiter)


class _InertRows(RowWriter):
    def writerow(self, row: Iterable[object]) -> None:
        super().writerow(map(_inert, row))


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_BEGINS_FORMULA) else cell
