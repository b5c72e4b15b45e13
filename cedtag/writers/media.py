"""How documents that refer to a recording name it: its address and its type."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from urllib.parse import quote

# A table of our own: that of the system differs between machines.
_TYPES = {
    ".wav": "audio/x-wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".aif": "audio/x-aiff",
    ".aiff": "audio/x-aiff",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
}


def media_type(name: str) -> str:
    """The media type of a recording, by its suffix."""
    suffix = PurePosixPath(name).suffix.lower()
    return _TYPES.get(suffix, f"audio/x-{quote(os.fsencode(suffix[1:])) or 'unknown'}")


def media_url(name: str) -> str:
    """The address of a recording: with a scheme where its path is absolute, else relative."""
    address = quote(os.fsencode(name))
    return f"file://{address}" if name.startswith("/") else f"./{address}"
