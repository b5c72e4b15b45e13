"""What the lines of a journal hold: one may be valid JSON, and sealed, and still be none that cedtag wrote."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cedtag.records import STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST = 1 << 62  # of sizes, times in nanoseconds and places: what 64 bits hold


def is_header(header: dict[str, Any]) -> bool:
    """Whether this is the first line, with the settings and classes of a run."""
    return (
        isinstance(header.get("settings"), dict)
        and _is_number(header.get("since_ns"))
        and _is_list(header.get("labels"), _is_label)
    )


def is_end(end: object, at: int) -> bool:
    """Whether this is the outcome of a recording, in a line that begins at byte `at`."""
    if not isinstance(end, dict) or end.get("status") not in STATUSES:
        return False
    names, numbers = ["file", "path", "root"], ["size", "mtime_ns", "rows_at"]
    if end["status"] == "failed":
        names += ["stage", "error"]
    else:
        numbers += ["samples", "windows"]
        if not (_is_list(end.get("problems"), _is_text) and _is_list(end.get("warnings"), _is_text)):
            return False
    return (
        all(_is_text(end.get(name)) for name in names)
        and all(_is_number(end.get(name)) for name in numbers)
        and 0 <= end["rows_at"] <= at
        and min(end.get("samples", 0), end.get("windows", 0)) >= 0
        and ("began" not in end or _is_time(end["began"]))
        and all(_is_text(end.get(name, "")) for name in ("at", "was", "cause", "traceback"))
        and _is_list(end.get("files", []), _is_stamp)
    )


def is_made(made: object) -> bool:
    """Whether this is a valid list of the files that were made of a journal."""
    if not isinstance(made, dict):
        return False
    shard = made.get("shard")
    return shard is None or (_is_list(shard, _is_number) and len(shard) == 2 and 1 <= shard[0] <= shard[1])


def is_row(row: object) -> bool:
    """Whether this is a window: its number, its first sample, the one after its last, and its tags.

    Where each channel is scored by itself, its number from 1 is the last.
    """
    return (
        isinstance(row, list)
        and len(row) in (4, 5)
        and all(map(_is_number, [*row[:3], *row[4:]]))
        and min(row[0], row[1]) >= 0
        and row[1] <= row[2]
        and min(row[4:], default=1) >= 1
        and _is_list(row[3], _is_tag)
    )


def _is_tag(tag: object) -> bool:
    return (
        isinstance(tag, list)
        and len(tag) == 4
        and _is_label(tag[:3])
        and type(tag[3]) in (int, float)
        and math.isfinite(tag[3])
    )


def _is_stamp(stamp: object) -> bool:
    """Whether this is the size and modification time of a file."""
    return isinstance(stamp, list) and len(stamp) == 2 and _is_list(stamp, _is_number)


def _is_label(label: object) -> bool:
    return (
        isinstance(label, list)
        and len(label) == 3
        and _is_number(label[0])
        and label[0] >= 0
        and _is_text(label[1])
        and _is_text(label[2])
    )


def _is_list(value: object, is_item: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and all(map(is_item, value))


def _is_number(value: object) -> bool:
    return type(value) is int and abs(value) <= _LARGEST


def _is_text(value: object) -> bool:
    """Whether this is text that a file can hold: no surrogates but those of bytes that are not UTF-8, and no NUL."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_time(value: object) -> bool:
    """Whether this is a time with its offset from UTC, far enough from the ends of the calendar to be counted from."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return time is not None and time.utcoffset() is not None and 1 < time.year < 9999
