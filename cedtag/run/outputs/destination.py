"""Where results should go, and what happens to those that are there."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.system.extras import require
from cedtag.system.special_files import is_special
from cedtag.writers import DEFAULT_FORMAT, format_of, writer_type
from cedtag.writers.errors import ErrorsWriter
from cedtag.writers.per_recording import LAYOUT
from cedtag.writers.position import parse_position

if TYPE_CHECKING:
    from cedtag.writers import Writer
    from cedtag.writers.run_info import RunInfo

STDIO = "-"
PICTURES = (".pdf", ".png", ".svg")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where results go, and what happens to those that are there.

    `to` holds files, or one folder (a file per recording and format), or "-" for standard output, which is also meant
    when it is empty. `formats` are told by the suffixes of the files unless given. `layout` is "long", "wide"
    or "file", a row per recording.
    Formats of markers count frames, `frame_rate` a second, and those of surveys need the `position` of the recorder.
    With `bom` tables begin with a byte order mark, by which spreadsheets know UTF-8.
    Beside these, failures go to the file `errors`, a picture to `plot` and counts to `summary`. With `resume` a journal
    is kept and an earlier run goes on; `overwrite` replaces results; `retry_failed` tries recordings again that
    failed, or are partial for a cause that can pass; `keep_going` goes on after a recording that failed.
    All scores of every window go to the folder `store`, with `embeddings`; it is always continued. Then what else is
    named is made of it when the run ends, and without `to` there are no rows.
    """

    to: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    layout: str = "long"
    frame_rate: str | None = None
    position: str | None = None
    bom: bool = False
    resume: bool = True
    overwrite: bool = False
    retry_failed: bool = False
    errors: str | None = None
    plot: str | None = None
    summary: str | None = None
    keep_going: bool = True
    store: str | None = None
    embeddings: bool = True

    @property
    def is_stdout(self) -> bool:
        """Whether results go to standard output."""
        return self.to == (STDIO,) or not (self.to or self.store)

    @property
    def is_stream(self) -> bool:
        """Whether results go out as they come: to standard output, a device or a pipe."""
        return self.is_stdout or (bool(self.to) and is_special(Path(self.to[0])))

    @property
    def is_folder(self) -> bool:
        """Whether results go to a folder, with a file per recording and format."""
        return not self.is_stream and any(map(is_folder, self.to))

    @property
    def keeps_journal(self) -> bool:
        """Whether the same run goes on after it was stopped."""
        return bool(self.store) or (self.resume and not self.is_stdout)

    def check(self) -> None:
        """InputError for places that cannot stand beside each other, MissingPackageError for what a store needs."""
        if self.store:
            require("store", "a store needs pyarrow")
        if self.store and not self.resume:
            raise InputError("a store is always continued; leave `resume` as it is, or name a new folder for `store`")
        if self.formats and self.store and not self.to:
            raise InputError("`formats` are those of rows; name with `to` where they go, beside the `store`")
        if len(self.to) > 1 and any(place == STDIO or is_special(Path(place)) for place in self.to):
            raise InputError("`to` with standard output or a device cannot stand beside other outputs")
        if self.layout == "wide" and not any(getattr(writer, "has_layouts", False) for writer in self.writers()):
            raise InputError("`layout` wide is for csv, tsv and spreadsheet; add `formats` csv, or leave it out")
        for writer in self.writers():
            if self.layout == LAYOUT and not getattr(writer, "has_file_layout", False):
                raise InputError(
                    "`layout` file is one of csv, tsv, spreadsheet, json and jsonl; name one with `formats`"
                )
            for needed, what in getattr(writer, "needs", {}).items():
                if getattr(self, needed) is None:
                    raise InputError(f"this format needs {what}: name it with `{needed}`")
        if self.bom and not any(getattr(writer, "has_bom", False) for writer in self.writers()):
            raise InputError("`bom` is a mark at the beginning of csv and tsv; name one of them with `formats`")
        if self.position is not None:
            parse_position(self.position)
        if not self.is_folder:
            return
        if len(self.to) > 1:
            raise InputError("`to` with a folder can stand only once; several formats are a file each per recording")
        if self.plot is not None and Path(self.plot).suffix.lower() in PICTURES:
            raise InputError("`plot` draws one recording beside other output; use `formats` png for a folder")

    def arranged(self, run: RunInfo) -> RunInfo:
        """The facts about a run, with how its rows are arranged here."""
        return replace(run, layout=self.layout, frame_rate=self.frame_rate, position=self.position, bom=self.bom)

    def files(self) -> dict[Path, type[Writer]]:
        """Each file of `to` with its writer: by its suffix, or by its format where each has one."""
        if self.formats and len(self.formats) != len(self.to):
            raise InputError(
                f"{len(self.formats)} formats for {len(self.to)} output files: give every `formats` its own `to`, "
                "or name a folder"
            )
        names = self.formats or [format_of(Path(place)) for place in self.to]
        return {Path(place): writer_type(name) for place, name in zip(self.to, names, strict=True)}

    def writers(self) -> list[type[Writer]]:
        """The writers of everything that `to` names."""
        if self.is_stream or self.is_folder:
            return [writer_type(name) for name in self.formats or (DEFAULT_FORMAT,)]
        return list(self.files().values())

    @property
    def needs_clock(self) -> bool:
        """Whether a format cannot do without the start times of recordings."""
        return any(getattr(writer, "needs_clock", False) for writer in self.writers())

    def named_beside(self) -> dict[str, Path]:
        """The files beside the results, by the parameters that name them."""
        named = {"errors": self.errors, "plot": self.plot, "summary": self.summary}
        return {name: Path(file) for name, file in named.items() if file}

    def files_beside(self) -> dict[Path, type[Writer]]:
        """The files of `errors` and `plot`, with their writers."""
        files: dict[Path, type[Writer]] = {}
        if self.errors:
            files[Path(self.errors)] = ErrorsWriter
        if self.plot:
            if Path(self.plot).suffix.lower() not in PICTURES:
                raise InputError(f"`plot` {self.plot}: pictures are files that end in {', '.join(PICTURES)}")
            files[Path(self.plot)] = writer_type(format_of(Path(self.plot)))
        return files

    def check_channels(self) -> None:
        """InputError for a format whose rows have no place for the channel."""
        names = self.formats or (DEFAULT_FORMAT,)
        writers = [writer_type(name) for name in names] if self.is_stream or self.is_folder else self.files().values()
        for writer in (*writers, *self.files_beside().values()):
            if not getattr(writer, "has_channels", False):
                name = writer.__name__.removesuffix("Writer").lower()
                raise InputError(
                    f"the format {name} has no place for the channel of a row; use csv, tsv, json, jsonl, parquet, "
                    "sqlite, raven or rttm, or a single `channel`"
                )

    def shows_one_recording(self) -> bool:
        """Whether one of the files can hold one recording alone."""
        if self.is_folder:
            return False
        return any(getattr(writer, "one_recording", False) for writer in self.writers())


def is_folder(place: str) -> bool:
    """Whether a place is a folder: one that is there, or a new name without a suffix."""
    # Not pathlib, which raises for names that are too long.
    is_new_name = not (Path(place).suffix or os.path.exists(place))  # noqa: PTH110
    return place.endswith(os.sep) or os.path.isdir(place) or is_new_name  # noqa: PTH112
