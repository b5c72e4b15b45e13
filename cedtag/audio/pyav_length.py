"""The length that a container of PyAV's states, found in a child process, which no file can make harm this one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cedtag.audio.containers.identify import Container

if TYPE_CHECKING:
    from cedtag.audio.audio_file import AudioFile

_TIMEOUT_S = 10.0
# It opens the file as the decoder does, and may open nothing else. The best audio stream, else the whole file.
_PROGRAM = """
import sys
sys.path[:] = {path!r}
import av
options = {{"protocol_whitelist": "file", "format_whitelist": sys.argv[1]}}
with av.open("/dev/fd/0", format=sys.argv[1], options=options, metadata_errors="replace") as file:
    stream = file.streams.best("audio")
    stated = float(stream.duration * stream.time_base) if stream.duration else (file.duration or 0) / av.time_base
    print(stated)
"""


def stated_length_s(file: AudioFile) -> float | None:
    """The seconds that the container of an open file states; None where it states none, or cannot be asked."""
    if not isinstance(file.format, Container) or file.format.demuxer is None:
        return None
    command = [sys.executable, "-c", _PROGRAM.format(path=sys.path), file.format.demuxer]
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        asked = subprocess.run(
            command, stdin=file.fd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_TIMEOUT_S, check=True
        )
        return float(asked.stdout) or None
    return None
