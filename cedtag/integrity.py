"""Whether all of a recording is there: what its container says, against what was found and what was decoded.

Nothing is decoded for it. Decoders take a truncated file for a short one and say nothing; the container knows better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.formats import chunks, flac, mpeg_walk, ogg
from cedtag.formats.findings import Findings

if TYPE_CHECKING:
    from cedtag.formats.containers import Container
    from cedtag.formats.file_bytes import FileBytes

_INSPECTORS = {
    "wav": chunks.inspect,
    "w64": chunks.inspect,
    "aiff": chunks.inspect,
    "caf": chunks.inspect,
    "au": chunks.inspect,
    "ogg": ogg.inspect,
}


def audit(file: FileBytes, container: Container, decoded_frames: int, read_to: int) -> Findings:
    """Return what is missing or odd in a file of which `decoded_frames` came out, its bytes up to `read_to` read."""
    if container.name == "flac" and container.demuxer is None:
        return flac.inspect(file, decoded_frames, read_to)
    if container.name == "mp3":
        return mpeg_walk.inspect(file, decoded_frames)
    inspect = _INSPECTORS.get(container.name)
    return inspect(file) if inspect is not None else Findings()
