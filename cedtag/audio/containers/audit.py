"""Whether a recording is complete: what its container states, against what is there and what was decoded.

Nothing is decoded for it. Decoders read a truncated file as a short one, without an error; the container shows more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.audio.containers.aac import inspect_adts, inspect_loas
from cedtag.audio.containers.ac3 import inspect_ac3
from cedtag.audio.containers.amr import inspect_amr
from cedtag.audio.containers.asf import inspect_asf
from cedtag.audio.containers.avi import inspect_avi
from cedtag.audio.containers.chunks import inspect_chunks
from cedtag.audio.containers.dts import inspect_dts
from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.flv import inspect_flv
from cedtag.audio.containers.matroska import inspect_matroska
from cedtag.audio.containers.mlp import inspect_mlp
from cedtag.audio.containers.mp4 import inspect_mp4
from cedtag.audio.containers.mpeg_ps import inspect_mpeg_ps
from cedtag.audio.containers.mpeg_ts import inspect_mpeg_ts
from cedtag.audio.containers.mpeg_walk import inspect_mpeg

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.identify import Container

_CHUNKED = frozenset(["wav", "w64", "aiff", "caf", "au"])
# Those that show what is missing by their structure alone.
_STRUCTURES: dict[str, Callable[[FileBytes], Findings]] = {
    "aac": inspect_adts,
    "ac3": inspect_ac3,
    "amr": inspect_amr,
    "asf": inspect_asf,
    "avi": inspect_avi,
    "dts": inspect_dts,
    "flv": inspect_flv,
    "loas": inspect_loas,
    "matroska": inspect_matroska,
    "mlp": inspect_mlp,
    "mpeg-ps": inspect_mpeg_ps,
    "mpeg-ts": inspect_mpeg_ts,
    "mp4": inspect_mp4,
    "truehd": inspect_mlp,
}


def audit(file: FileBytes, container: Container, decoded_frames: int, read_to: int) -> Findings:
    """Return what is missing or odd in a file that gave `decoded_frames`, and was read up to byte `read_to`."""
    if container.name in _CHUNKED:
        return inspect_chunks(file)
    if container.name == "mp3":
        return inspect_mpeg(file, decoded_frames)
    inspect = _STRUCTURES.get(container.name)
    return Findings() if inspect is None else inspect(file)
