"""The table that people read on a terminal."""

from __future__ import annotations

import math
import os
from io import TextIOWrapper
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cedtag.records import SoundEvent, Tag, TagResult
from cedtag.system.terminal import printable
from cedtag.writers.clock_columns import clock_times, shows_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


_NARROWEST = 34  # columns beside the times: what nearly all classes need


class TableWriter:
    """A heading per recording, a line per window: when, then its tags, best first; or a line per event with its peak.

    On a terminal that is too narrow, tags that do not fit stand on further lines, below the others; anywhere else no
    line depends on the width.
    """

    has_channels = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        text = _Text(out, "utf-8", "backslashreplace", write_through=True)
        self._console = _Console(file=text, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self._width = os.get_terminal_size(out.fileno()).columns or None if out.isatty() else None
        self._has_clock = shows_clock(run)
        self._heading: str | None = None

    def write(self, result: Result) -> None:
        if not isinstance(result, TagResult | SoundEvent):
            return
        if self._heading != result.source.name:
            self._heading = result.source.name
            self._console.print(Text(printable(result.source.name), style="bold"))
        if isinstance(result, SoundEvent):
            tags = [tag_text(Tag(result.index, result.mid, result.label, result.peak))]
        else:
            tags = [tag_text(tag) for tag in result.tags] or [Text("-", style="dim")]
        self._console.print(_in_lines(f"  {self._where(result)}", tags, self._width))

    def close(self) -> None:
        pass

    def _where(self, result: TagResult | SoundEvent) -> str:
        """When, with the time on the clock at which it begins, and in which channel."""
        parts = [f"{table_time(result.start)} - {table_time(result.stop)}"]
        if self._has_clock:
            began = (clock_times(result) or ("",))[0]
            parts.append(began[:19].replace("T", " ") or " " * 18 + "-")
        return "  ".join([*parts, *([f"channel {result.channel}"] if result.channel else [])]) + "  "


def _in_lines(before: str, tags: Sequence[Text], width: int | None) -> Text:
    """What stands before the tags, dim, and the tags: below each other where `width` columns hold no more."""
    is_narrow = width is not None and width - len(before) < _NARROWEST
    indent = 4 if is_narrow else len(before)
    room = math.inf if width is None else width - indent
    rows: list[list[Text]] = [[]]
    left = room
    for tag in tags:
        if rows[-1] and left < tag.cell_len:
            rows.append([])
            left = room
        rows[-1].append(tag)
        left -= tag.cell_len + 2
    next_row = "\n" + " " * indent
    below = Text(next_row).join(Text("  ").join(row) for row in rows)
    return Text.assemble((before, "dim"), next_row if is_narrow else "", below)


class _Console(Console):
    """A console that leaves it to its caller that the reader of a pipe has gone; rich ends the process there."""

    def on_broken_pipe(self) -> None:
        raise


class _Text(TextIOWrapper):
    """Text for a stream of bytes that stays open, also when a run that was stopped lets go of its writer."""

    def close(self) -> None:
        pass


def tag_text(tag: Tag) -> Text:
    style = "bold green" if tag.score >= 0.5 else "green" if tag.score >= 0.25 else ""
    return Text.assemble((f"{tag.score:.2f}", style), f" {printable(tag.label)}")


def table_time(sample: int) -> str:
    """`h:mm:ss.s` of a sample, cut to a tenth of a second."""
    tenths = sample // 1600
    return f"{tenths // 36000}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"
