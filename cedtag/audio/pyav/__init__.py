"""PyAV (FFmpeg): AAC, Opus, WMA and the sound of video files. Alone in importing `av`; runs in a child process.

FFmpeg gets the container of a file from here, and may open nothing but that file: by itself it follows playlists to
other files and to the network, whatever the file is called.
"""

from __future__ import annotations

from cedtag.audio.pyav.decoder import AvDecoder

__all__ = ["AvDecoder"]
