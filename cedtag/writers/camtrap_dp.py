"""Camtrap DP 1.0: a data package, zipped, of one recorder's deployment, its recordings and what was found in them."""

from __future__ import annotations

import io
import json
import posixpath
import re
import shutil
import tempfile
import weakref
import zipfile
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

from cedtag import __version__
from cedtag.errors import InputError
from cedtag.labels.table import descendants
from cedtag.records import SAMPLES_PER_MS, FileEnd, FileFailed, SoundEvent, Tag, TagResult, TimedSource, seconds
from cedtag.writers import storable
from cedtag.writers.media import media_type
from cedtag.writers.position import parse_position
from cedtag.writers.segments import percent_escaped
from cedtag.writers.separated import RowWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cedtag.records import Result, Source
    from cedtag.writers.run_info import RunInfo

_SCHEMAS = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.1"
COLUMNS = {
    "deployments": ("deploymentID", "latitude", "longitude", "deploymentStart", "deploymentEnd"),
    "media": ("mediaID", "deploymentID", "timestamp", "filePath", "filePublic", "fileName", "fileMediatype"),
    "observations": (
        *("observationID", "deploymentID", "mediaID", "eventStart", "eventEnd", "observationLevel", "observationType"),
        *("classificationMethod", "classifiedBy", "classificationProbability", "observationTags"),
    ),
}
_DEPLOYMENT = "d1"
# The node of the ontology above a class -> the type of the observation.
_TYPES = {"/m/0jbk": "animal", "/m/0dgw9r": "human", "/m/07yv9": "vehicle"}
_NOT_IN_PATH = re.compile(r"^[.~]|\.(?=\.)|%(?=2E|7E|25)")  # what Camtrap DP allows in no path, and like its escape
_SPOOL_BYTES = 1 << 20


class CamtrapDpWriter:
    """An observation per tag of a window, or per event; recordings that failed are left out.

    Times of Camtrap DP are whole seconds, cut; those in the recording stand in `observationTags`. AudioSet's classes
    have no scientific names, so that the label stands there, too. Everything in the package follows from the results.
    """

    needs_ends = needs_clock = True
    needs = {"position": "the position of the recorder"}  # noqa: RUF012

    def __init__(self, out: IO[bytes], run: RunInfo) -> None:
        assert run.position is not None
        self._out, self._position = out, parse_position(run.position)
        self._model = str(run.settings.get("model", "cedtag"))
        with ExitStack() as stack:
            self._tables = {name: stack.enter_context(tempfile.SpooledTemporaryFile(_SPOOL_BYTES)) for name in COLUMNS}
            weakref.finalize(self, stack.pop_all().close)  # also in a run that is stopped before its end
        self._add("media", COLUMNS["media"])
        self._add("observations", COLUMNS["observations"])
        self._span: tuple[datetime, datetime] | None = None
        self._num_observations = 0

    def write(self, result: Result) -> None:
        if isinstance(result, TagResult):
            for tag in result.tags:
                self._observe(result, tag)
        elif isinstance(result, SoundEvent):
            self._observe(result, Tag(result.index, result.mid, result.label, result.peak))
        elif not isinstance(result, FileFailed):
            self._add_recording(result)

    def close(self) -> None:
        if self._span is None:
            raise InputError("camtrap-dp needs a recording whose start time is known; there is none")
        self._add("deployments", COLUMNS["deployments"])
        self._add("deployments", (_DEPLOYMENT, *self._position, *map(_iso, self._span)))
        with tempfile.TemporaryFile() as own:  # `out` may be a stream, in which an archive cannot go back
            with zipfile.ZipFile(own, "w", zipfile.ZIP_DEFLATED) as package:
                description = json.dumps(self._description(*self._span), indent=1).encode() + b"\n"
                _store(package, "datapackage.json", io.BytesIO(description))
                for name, table in self._tables.items():
                    _store(package, f"{name}.csv", table)
            own.seek(0)
            shutil.copyfileobj(own, self._out)

    def _observe(self, piece: TagResult | SoundEvent, tag: Tag) -> None:
        self._num_observations += 1
        start, stop = (_iso(_clock(piece.source, sample)) for sample in (piece.start, piece.stop))
        tags = {"label": storable(tag.label).replace("|", "/"), "mid": tag.mid}
        tags |= {"start": f"{seconds(piece.start):.3f}", "end": f"{seconds(piece.stop):.3f}"}
        if piece.channel:
            tags["channel"] = str(piece.channel)
        shown = " | ".join(f"{name}:{value}" for name, value in tags.items() if value)
        media = storable(piece.source.name)
        where = (f"o{self._num_observations}", _DEPLOYMENT, media, start, stop, "media", _type_of(tag.mid))
        self._add("observations", (*where, "machine", self._model, f"{tag.score:.4f}", shown))

    def _add_recording(self, end: FileEnd) -> None:
        start, stop = _clock(end.source, 0), _clock(end.source, end.num_samples)
        self._span = (min(start, self._span[0]), max(stop, self._span[1])) if self._span else (start, stop)
        name = storable(end.source.name)
        file = posixpath.basename(name)
        self._add("media", (name, _DEPLOYMENT, _iso(start), _relative(name), "false", file, media_type(file)))

    def _add(self, table: str, row: Iterable[object]) -> None:
        text = io.StringIO()
        RowWriter(text).writerow(row)
        self._tables[table].write(text.getvalue().encode())

    def _description(self, start: datetime, stop: datetime) -> dict[str, Any]:
        latitude, longitude = self._position
        return {
            "profile": f"{_SCHEMAS}/camtrap-dp-profile.json",
            "created": _iso(stop),
            "contributors": [{"title": f"cedtag {__version__}", "role": "contributor"}],
            "project": {
                "title": "Acoustic survey",
                "samplingDesign": "opportunistic",
                "captureMethod": ["timeLapse"],
                "individualAnimals": False,
                "observationLevel": ["media"],
            },
            "spatial": {"type": "Point", "coordinates": [longitude, latitude]},
            "temporal": {"start": f"{start:%Y-%m-%d}", "end": f"{stop:%Y-%m-%d}"},
            "taxonomic": [],
            "resources": [
                {
                    "name": name,
                    "path": f"{name}.csv",
                    "profile": "tabular-data-resource",
                    "format": "csv",
                    "mediatype": "text/csv",
                    "encoding": "utf-8",
                    "schema": f"{_SCHEMAS}/{name}-table-schema.json",
                }
                for name in COLUMNS
            ],
        }


def _store(package: zipfile.ZipFile, name: str, content: IO[bytes]) -> None:
    """Put a file into the archive, with a date that is always the same."""
    content.seek(0)
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with package.open(entry, "w", force_zip64=True) as member:
        shutil.copyfileobj(content, member)


def _clock(source: Source, sample: int) -> datetime:
    """The time at a sample; InputError where the start is not known."""
    if not isinstance(source, TimedSource):
        raise InputError(
            f"{source.name}: its start time is not known, and camtrap-dp needs those of all recordings; leave it out, "
            "or give it a name with its time"
        )
    return datetime.fromisoformat(source.began) + timedelta(milliseconds=sample // SAMPLES_PER_MS)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def _type_of(mid: str) -> str:
    """The type of an observation: animal, human, vehicle, or unknown for everything else that sounds."""
    return next((kind for node, kind in _TYPES.items() if mid == node or mid in descendants(node)), "unknown")


def _relative(name: str) -> str:
    """The path of a recording as Camtrap DP allows it: relative, and without two dots in a row."""
    parts = (part for part in name.split("/") if part not in ("", ".", ".."))
    return percent_escaped(_NOT_IN_PATH, "/".join(parts))
