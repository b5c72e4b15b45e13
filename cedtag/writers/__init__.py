"""Where results are written: one file per format, one row per format here."""

from __future__ import annotations

import re
from importlib import import_module
from typing import IO, TYPE_CHECKING, Protocol, cast

from cedtag.errors import InputError
from cedtag.labels.tagged import TaggedWindows

if TYPE_CHECKING:
    from pathlib import PurePath

    from cedtag.labels.tagged import Results
    from cedtag.records import Result
    from cedtag.writers.run_info import RunInfo


class Writer(Protocol):
    """Writes one stream of results: the windows or events of a recording, then how it ended, one after another.

    Those whose rows can carry a channel have an attribute `has_channels`. Those that cannot do without a parameter of
    `Destination` have `needs`: its name and what it is; those that cannot do without start times, `needs_clock`. Those
    that write nothing for a window without tags have `skips_silence`. Those that write many windows at once faster have
    a method `write_windows`, which leaves the bytes that `write` would leave.
    """

    def __init__(self, out: IO[bytes], run: RunInfo) -> None: ...

    def write(self, result: Result) -> None: ...

    def close(self) -> None:
        """Write what stands at the end; `out` stays open."""


# format -> where its writer is.
WRITERS = {
    "audacity": "cedtag.writers.audacity:AudacityWriter",
    "birdnet": "cedtag.writers.birdnet:BirdNetWriter",
    "camtrap-dp": "cedtag.writers.camtrap_dp:CamtrapDpWriter",
    "csv": "cedtag.writers.rows:CsvWriter",
    "dcase": "cedtag.writers.dcase:DcaseWriter",
    "eaf": "cedtag.writers.elan:ElanWriter",
    "edl": "cedtag.writers.edl:EdlWriter",
    "json": "cedtag.writers.document:JsonWriter",
    "jsonl": "cedtag.writers.lines:JsonLinesWriter",
    "kaleidoscope": "cedtag.writers.kaleidoscope:KaleidoscopeWriter",
    "label-studio": "cedtag.writers.label_studio:LabelStudioWriter",
    "otio": "cedtag.writers.otio:OtioWriter",
    "parquet": "cedtag.writers.parquet:ParquetWriter",
    "pdf": "cedtag.writers.picture:PdfWriter",
    "png": "cedtag.writers.picture:PngWriter",
    "svg": "cedtag.writers.picture:SvgWriter",
    "psds": "cedtag.writers.dcase:PsdsWriter",
    "raven": "cedtag.writers.raven:RavenWriter",
    "rttm": "cedtag.writers.rttm:RttmWriter",
    "spreadsheet": "cedtag.writers.spreadsheet:SpreadsheetWriter",
    "sqlite": "cedtag.writers.sqlite:SqliteWriter",
    "srt": "cedtag.writers.subtitles:SrtWriter",
    "table": "cedtag.writers.table:TableWriter",
    "textgrid": "cedtag.writers.textgrid:TextGridWriter",
    "tsv": "cedtag.writers.rows:TsvWriter",
    "vtt": "cedtag.writers.subtitles:VttWriter",
}

# The suffix of a format's files, where it is not the name.
SUFFIXES = {
    "audacity": "txt",
    "birdnet": "birdnet.csv",
    "camtrap-dp": "camtrap-dp.zip",
    "dcase": "dcase.tsv",
    "kaleidoscope": "kaleidoscope.csv",
    "label-studio": "label-studio.json",
    "psds": "psds.tsv",
    "raven": "selections.txt",
    "spreadsheet": "spreadsheet.csv",
    "textgrid": "TextGrid",
}
_TELLS_NOTHING = ".txt"
_LIKE_A_BYTE = re.compile(r"\\(?=u[0-9a-f]{4}|x5c)")
_ESCAPED = re.compile(r"\\x5c|\\u(d[89a-f][0-9a-f]{2})")
DEFAULT_FORMAT = "tsv"  # of streams and folders


def writer_type(format_name: str) -> type[Writer]:
    """The writer of a format in `WRITERS`."""
    module, name = WRITERS[format_name].split(":")
    return cast("type[Writer]", getattr(import_module(module), name))


def write_to(writer: Writer, results: Results) -> None:
    """Write a result, or many windows at once."""
    if not isinstance(results, TaggedWindows):
        writer.write(results)
    elif hasattr(writer, "write_windows"):
        writer.write_windows(results)
    else:
        for result in results.results():
            writer.write(result)


def suffix_of(format_name: str) -> str:
    """What the names of a format's files end in, with the dot."""
    return "." + SUFFIXES.get(format_name, format_name)


def format_of(path: PurePath) -> str:
    """The format that a file name stands for by its suffix, of several (`.csv`, `.birdnet.csv`) the longest."""
    suffixes = {suffix_of(name): name for name in WRITERS if suffix_of(name) != _TELLS_NOTHING}
    for suffix in sorted(suffixes, key=len, reverse=True):
        if path.name.lower().endswith(suffix.lower()):
            return suffixes[suffix]
    raise InputError(
        f"{path}: this suffix stands for no format (known: {', '.join(suffixes)}); name one with `formats`"
    )


def storable(name: str) -> str:
    """A name for formats that hold nothing but UTF-8: other bytes than its own become `\\udcff`.

    A backslash that could be taken for the start of such a byte becomes `\\x5c`, so that no two names become one.
    """
    return _LIKE_A_BYTE.sub(r"\\x5c", name).encode("utf-8", "backslashreplace").decode()


def from_storable(text: str) -> str:
    """The name of which `storable` made this text."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: "\\" if match[1] is None else chr(int(match[1], 16)), text)
