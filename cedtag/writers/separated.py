"""Rows of separated values that can be read back whatever is in their fields."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable


class RowWriter:
    """Writes rows that end in a newline; a field with the delimiter, a quote or any end of a line in it is quoted."""

    def __init__(self, text: io.StringIO, delimiter: str = ",") -> None:
        self._text = text
        # The csv module quotes only those ends of lines that it writes itself.
        self._rows = csv.writer(self, delimiter=delimiter, lineterminator="\r\n")

    def writerow(self, row: Iterable[object]) -> None:
        self._rows.writerow(row)

    def text_of(self, *fields: object) -> str:
        """The fields as they stand in a row, one after another: with others beside them they make a row."""
        at = self._text.tell()
        self.writerow(fields)
        self._text.seek(at)
        text = self._text.read().removesuffix("\n")
        self._text.seek(at)
        self._text.truncate()
        return text

    def write(self, line: str) -> int:
        """Take a row from the csv module, which gives each in one piece."""
        return self._text.write(line.removesuffix("\r\n") + "\n")
