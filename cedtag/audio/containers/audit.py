"""Whether a recording is complete: what its container states, against what is there and what was decoded.

Nothing is decoded for it. Decoders read a truncated file as a short one, without an error; the container shows more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from cedtag.audio.containers.chunks import inspect_chunks
from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.flac import inspect_flac
from cedtag.audio.containers.mpeg_audit import inspect_mpeg
from cedtag.audio.containers.stated_end import STATE_THEIR_END, inspect_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.identify import Container

_CHUNKED = frozenset(["wav", "w64", "aiff", "caf", "au"])
# Those that show what is missing by their structure alone.
_STRUCTURES = {
    "8svx": "stated_sizes:inspect_iff",
    "aac": "aac:inspect_aac",
    "ac3": "ac3:inspect_ac3",
    "avr": "stated_sizes:inspect_avr",
    "ape": "stated_sizes:inspect_ape",
    "amr": "amr:inspect_amr",
    "asf": "asf:inspect_asf",
    "avi": "avi:inspect_avi",
    "dff": "stated_sizes:inspect_dff",
    "dsf": "stated_sizes:inspect_dsf",
    "dts": "dts:inspect_dts",
    "flv": "flv:inspect_flv",
    "matroska": "matroska:inspect_matroska",
    "maud": "stated_sizes:inspect_iff",
    "mlp": "mlp:inspect_mlp",
    "mpeg-ps": "mpeg_ps:inspect_mpeg_ps",
    "mpeg-ts": "mpeg_ts:inspect_mpeg_ts",
    "mp4": "mp4:inspect_mp4",
    "musepack": "musepack:inspect_musepack",
    "nist": "stated_sizes:inspect_nist",
    "truehd": "mlp:inspect_mlp",
    "tta": "stated_sizes:inspect_tta",
    "voc": "stated_sizes:inspect_voc",
    "wavpack": "wavpack:inspect_wavpack",
    "wve": "stated_sizes:inspect_wve",
}


def audit(file: FileBytes, container: Container, decoded_frames: int) -> Findings:
    """Return what is missing or odd in a file that gave `decoded_frames`."""
    if container.name in _CHUNKED:
        return inspect_chunks(file)
    if container.name == "mp3":
        return inspect_mpeg(file, container, decoded_frames)
    if container.name == "flac" and container.demuxer is not None:
        return inspect_flac(file)
    if container.name in STATE_THEIR_END:
        return inspect_end(container.name, file, decoded_frames)
    if container.name in _STRUCTURES:
        # Junk before the first frame, which the decoder has skipped, is said already.
        return _inspector(container.name)(file.part(container.start) if container.start else file)
    return Findings()


def _inspector(name: str) -> Callable[[FileBytes], Findings]:
    module, _, function = _STRUCTURES[name].partition(":")
    return cast("Callable[[FileBytes], Findings]", getattr(import_module(f"{__package__}.{module}"), function))
