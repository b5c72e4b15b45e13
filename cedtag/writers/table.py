"""The table that people read on a terminal."""

from __future__ import annotations

from io import TextIOWrapper
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cedtag.records import SoundEvent, Tag, TagResult
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class TableWriter:
    """A heading per recording, a line per window: when, then its tags, best first; or a line per event with its peak.

    No line depends on the width.
    """

    has_channels = True

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        text = _Text(out, "utf-8", "backslashreplace", write_through=True)
        self._console = _Console(file=text, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self._heading: str | None = None

    def write(self, result: Result) -> None:
        if not isinstance(result, TagResult | SoundEvent):
            return
        if self._heading != result.source.name:
            self._heading = result.source.name
            self._console.print(Text(printable(result.source.name), style="bold"))
        channel = f"channel {result.channel}  " if result.channel else ""
        line = Text(f"  {table_time(result.start)} - {table_time(result.stop)}  {channel}", style="dim")
        if isinstance(result, SoundEvent):
            self._console.print(line + tag_text(Tag(result.index, result.mid, result.label, result.peak)))
            return
        self._console.print(line + (Text("  ").join(map(tag_text, result.tags)) or Text("-", style="dim")))

    def close(self) -> None:
        pass


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
