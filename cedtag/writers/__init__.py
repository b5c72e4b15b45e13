"""Where results are written: one file per format, one row per format here."""

from __future__ import annotations

from importlib import import_module
from typing import IO, TYPE_CHECKING, Protocol, cast

from cedtag.errors import InputError

if TYPE_CHECKING:
    from pathlib import PurePath

    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class Sink(Protocol):
    """Writes one stream of results: the windows or events of a recording, then how it ended, one after another."""

    def __init__(self, out: IO[bytes], run: RunInfo) -> None: ...

    def write(self, result: Result) -> None: ...

    def close(self) -> None:
        """Write what stands at the end; `out` stays open."""


# format -> where its sink is.
SINKS = {
    "audacity": "cedtag.writers.audacity:AudacitySink",
    "birdnet": "cedtag.writers.birdnet:BirdNetSink",
    "csv": "cedtag.writers.rows:CsvSink",
    "dcase": "cedtag.writers.dcase:DcaseSink",
    "json": "cedtag.writers.document:JsonSink",
    "jsonl": "cedtag.writers.lines:JsonLinesSink",
    "parquet": "cedtag.writers.parquet:ParquetSink",
    "pdf": "cedtag.writers.picture:PdfSink",
    "png": "cedtag.writers.picture:PngSink",
    "svg": "cedtag.writers.picture:SvgSink",
    "psds": "cedtag.writers.dcase:PsdsSink",
    "raven": "cedtag.writers.raven:RavenSink",
    "rttm": "cedtag.writers.rttm:RttmSink",
    "sqlite": "cedtag.writers.sqlite:SqliteSink",
    "srt": "cedtag.writers.subtitles:SrtSink",
    "table": "cedtag.writers.table:TableSink",
    "textgrid": "cedtag.writers.textgrid:TextGridSink",
    "tsv": "cedtag.writers.rows:TsvSink",
    "vtt": "cedtag.writers.subtitles:VttSink",
}

# The suffix of a format's files, where it is not the name.
SUFFIXES = {
    "audacity": "txt",
    "birdnet": "birdnet.csv",
    "dcase": "dcase.tsv",
    "psds": "psds.tsv",
    "raven": "selections.txt",
    "textgrid": "TextGrid",
}
_TELLS_NOTHING = ".txt"


def sink_type(format_name: str) -> type[Sink]:
    """The sink of a format in `SINKS`."""
    module, name = SINKS[format_name].split(":")
    return cast("type[Sink]", getattr(import_module(module), name))


def suffix_of(format_name: str) -> str:
    """What the names of a format's files end in, with the dot."""
    return "." + SUFFIXES.get(format_name, format_name)


def format_of(path: PurePath) -> str:
    """The format that a file name stands for by its suffix, of several (`.csv`, `.birdnet.csv`) the longest."""
    suffixes = {suffix_of(name): name for name in SINKS if suffix_of(name) != _TELLS_NOTHING}
    for suffix in sorted(suffixes, key=len, reverse=True):
        if path.name.lower().endswith(suffix.lower()):
            return suffixes[suffix]
    raise InputError(
        f"{path}: this suffix stands for no format (known: {', '.join(suffixes)}); name one with -f/--format"
    )


def storable(name: str) -> str:
    """A name for formats that hold nothing but UTF-8: other bytes than its own become `\\udcff`."""
    return name.encode("utf-8", "backslashreplace").decode()
