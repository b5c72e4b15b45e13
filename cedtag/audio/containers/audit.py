"""Whether all of a recording is there: what its container says, against what was found and what was decoded.

Nothing is decoded for it. Decoders take a truncated file for a short one and say nothing; the container knows better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.audio.containers import chunks, flac, mpeg_walk, ogg
from cedtag.audio.containers.findings import Findings

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.identify import Container

_CHUNKED = frozenset(["wav", "w64", "aiff", "caf", "au"])


def audit(file: FileBytes, container: Container, decoded_frames: int, read_to: int) -> Findings:
    """Return what is missing or odd in a file of which `decoded_frames` came out, its bytes up to `read_to` read."""
    if container.name in _CHUNKED:
        return chunks.inspect(file)
    if container.name == "mp3":
        return mpeg_walk.inspect(file, decoded_frames)
    if container.name == "ogg":
        return ogg.inspect(file, reads_chains=container.demuxer is not None)
    if container.name == "flac":
        return flac.inspect(file, decoded_frames, read_to)
    return Findings()
