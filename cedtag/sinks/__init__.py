"""Where results are written: one file per format, one row per format here."""

from __future__ import annotations

from importlib import import_module
from typing import IO, TYPE_CHECKING, Protocol, TypeAlias, cast

from cedtag.errors import InputError

if TYPE_CHECKING:
    from pathlib import PurePath

    from cedtag.records import FileEnd, FileFailed, TagResult
    from cedtag.run import Run

Result: TypeAlias = "TagResult | FileEnd | FileFailed"


class Sink(Protocol):
    """Writes one stream of results: the windows of a recording, then how it ended, recording after recording."""

    def __init__(self, out: IO[bytes], run: Run) -> None: ...

    def write(self, result: Result) -> None: ...

    def close(self) -> None:
        """Write what stands at the end; `out` stays open."""


# format -> where its sink is. The name is also the suffix of its files.
SINKS = {
    "csv": "cedtag.sinks.rows:CsvSink",
    "json": "cedtag.sinks.document:JsonSink",
    "jsonl": "cedtag.sinks.lines:JsonLinesSink",
    "pdf": "cedtag.plot:PdfSink",
    "png": "cedtag.plot:PngSink",
    "svg": "cedtag.plot:SvgSink",
    "table": "cedtag.sinks.table:TableSink",
    "tsv": "cedtag.sinks.rows:TsvSink",
}


def sink_type(format_name: str) -> type[Sink]:
    """The sink of a format in `SINKS`."""
    module, name = SINKS[format_name].split(":")
    return cast("type[Sink]", getattr(import_module(module), name))


def format_of(path: PurePath) -> str:
    """The format that a file name stands for by its suffix."""
    name = path.suffix.lstrip(".").lower()
    if name not in SINKS:
        known = ", ".join(f".{known}" for known in SINKS if known != "table")
        raise InputError(f"{path}: this suffix stands for no format (known: {known}); name one with -f/--format")
    return name


def seconds(sample: int) -> float:
    """Where a sample lies, in seconds cut to milliseconds, so that no time is after the recording's end."""
    return sample // 16 / 1000  # 16 samples are one millisecond at 16 kHz
