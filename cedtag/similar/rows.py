"""Windows that were found, as rows: csv, tsv, json and jsonl."""

from __future__ import annotations

import io
import json
from pathlib import PurePath
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.similar.settings import FORMATS
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.similar.search import SimilarWindow


def columns_of(found: Sequence[SimilarWindow]) -> tuple[str, ...]:
    """The columns of a table; windows of single channels have one more."""
    channel = ("channel",) if any(window.channel for window in found) else ()
    return ("rank", "file", "start", "end", *channel, "similarity", "example")


def rows_of(found: Sequence[SimilarWindow]) -> list[list[str]]:
    """The cells of a table, as they are written: seconds with three decimals, similarities with four."""
    rows = []
    for rank, window in enumerate(found, 1):
        values = {"channel": 0, **window.to_dict(), "rank": rank}
        values |= {name: f"{values[name]:.3f}" for name in ("start", "end")}
        values["similarity"] = f"{window.similarity:.4f}"
        rows.append([str(values[name]) for name in columns_of(found)])
    return rows


def text_of(found: Sequence[SimilarWindow], format_name: str) -> str:
    """The rows in one of `FORMATS`."""
    if format_name == "json":
        return json.dumps([window.to_dict() for window in found], indent=1) + "\n"
    if format_name == "jsonl":
        return "".join(json.dumps(window.to_dict()) + "\n" for window in found)
    text = io.StringIO()
    writer = RowWriter(text, "," if format_name == "csv" else "\t")
    for row in (columns_of(found), *rows_of(found)):
        writer.writerow(row)
    return text.getvalue()


def format_of(path: str | None, format_name: str | None) -> str | None:
    """The format that was named, or that a file's suffix stands for; None for standard output without one."""
    if format_name is not None or path in (None, "-"):
        return format_name
    suffix = PurePath(str(path)).suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise InputError(
            f"{path}: this suffix stands for no format here ({', '.join(FORMATS)}); name one with `format`"
        )
    return suffix
