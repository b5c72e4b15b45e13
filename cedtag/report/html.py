"""The page: its text, style, scripts and data in one file that asks for nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from importlib import resources
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from cedtag import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cedtag.report.archive import Archive

# One scope, in this order.
SCRIPTS = ("dom.js", "archive.js", "filter.js", "overview.js", "list.js", "timeline.js", "main.js")
# Widest first, so that each begins at a multiple of its width. Steps are stored as distances, which compress well.
_COLUMNS = {
    "started": "<f8",
    "duration": "<u4",
    "num_steps": "<u4",
    "step_start": "<u4",
    "step_length": "<u4",
    "num_tags": "<u2",
    "tag_class": "<u2",
    "tag_score": "<u2",
    "status": "u1",
}


def write_page(out: IO[bytes], archive: Archive, title: str, settings: Mapping[str, Any] | None = None) -> None:
    """Write the page as HTML."""
    style = _asset("uplot/uPlot.min.css") + "\n" + _asset("page.css")
    library = _asset("uplot/uPlot.iife.min.js")
    script = "\n".join(map(_asset, SCRIPTS))
    parts = {
        "POLICY": content_policy([library, script], style),
        "TITLE": html.escape(title),
        "STYLE": style,
        "LICENCE": _asset("uplot/LICENSE"),
        "LIBRARY": library,
        "SCRIPT": script,
        "DATA": base64.b64encode(pack(archive, title, settings or {})).decode(),
    }
    page = re.sub("@@([A-Z]+)@@", lambda part: parts[part[1]], _asset("page.html"))
    out.write(page.encode("utf-8", "backslashreplace"))


def content_policy(scripts: list[str], style: str) -> str:
    """What the browser lets the page do: run these scripts, show this style, and play audio files beside it."""
    script_hashes = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {script_hashes}; style-src {_hash(style)}; img-src data:; "
        "media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )


def pack(archive: Archive, title: str, settings: Mapping[str, Any]) -> bytes:
    """The columns one after another, then the texts as JSON, then the length of that in four bytes; all deflated."""
    columns = [np.asarray(_distances(archive) if name == "step_start" else getattr(archive, name)) for name in _COLUMNS]
    texts = {
        "title": title,
        "version": __version__,
        "settings": dict(settings),
        "names": archive.names,
        "links": archive.links,
        "notes": archive.notes,
        "classes": archive.classes,
        "least_score": archive.least_score,
        "columns": [[name, len(column)] for name, column in zip(_COLUMNS, columns, strict=True)],
    }
    packer = zlib.compressobj(level=6)
    text = json.dumps(texts).encode()
    pieces = [column.astype(kind).tobytes() for column, kind in zip(columns, _COLUMNS.values(), strict=True)]
    packed = [packer.compress(piece) for piece in (*pieces, text, len(text).to_bytes(4, "little"))]
    return b"".join([*packed, packer.flush()])


def _distances(archive: Archive) -> np.ndarray[Any, Any]:
    """How far each step begins after the one before it; the first of a recording after the recording's start."""
    starts = np.asarray(archive.step_start, dtype=np.int64)
    distances = np.diff(starts, prepend=0)
    num_steps = np.asarray(archive.num_steps, dtype=np.int64)
    firsts = (num_steps.cumsum() - num_steps)[num_steps > 0]
    distances[firsts] = starts[firsts]
    return distances


def _asset(name: str) -> str:
    return (resources.files("cedtag.report") / "page" / name).read_text(encoding="utf-8").rstrip("\n")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
