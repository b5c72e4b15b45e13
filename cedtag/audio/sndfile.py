"""libsndfile: WAV and its kin, FLAC, Ogg Vorbis and Opus, MP3, AIFF, CAF and what else it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from cedtag.audio.limits import FRAMES_PER_READ, check_limits
from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.mono import Samples
    from cedtag.audio.spliced import SplicedFile

# From here on, libsndfile's number of frames stands for an unknown length: 2^63 - 1, or what a false header gives.
_UNKNOWN_FRAMES = 1 << 62

# Where libsndfile meets damage, what the call has decoded so far is lost. In these codecs it detects damage, so calls
# are short (even shorter ones would cost more than a tenth of the decoding).
_FRAMES_PER_CALL = {"FLAC": 4_096, "MP3": 4_096}

# Messages of libsndfile that mislead, by their beginning, and clearer ones.
_CLEARER = {
    "Internal error : SF_INFO struct incomplete": "its header makes no sense",
    "File does not exist or is not a regular file": "none of it can be decoded",
    "Unspecified internal error": "it is damaged",
}


class _ForwardOnly(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that denies being seekable, so that reading does not seek after every block.

    After a seek the MP3 decoder lacks the bits that earlier frames left for it, and valid files with a variable bit
    rate give wrong samples (bastibe/python-soundfile#402). Can go when soundfile no longer seeks.
    """

    def seekable(self) -> bool:
        return False


class SoundFileDecoder:
    """The frames of a file that libsndfile reads, given as a descriptor, which stays open, or repaired."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __init__(self, file: int | SplicedFile, name: str) -> None:
        self._name, self._source = name, file
        try:
            self._file = _ForwardOnly(file, closefd=False)
        except soundfile.LibsndfileError as error:
            self._raise_failure()
            raise AudioError(f"{name}: cannot be decoded ({_reason(error)})") from error
        try:
            check_limits(name, self._file.samplerate, self._file.channels)
        except AudioError:
            self._file.close()
            raise
        self.rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.subtype: str = self._file.subtype  # libsndfile's name for how samples are stored
        frames: int = self._file.frames
        self.declared_frames = frames if 0 < frames < _UNKNOWN_FRAMES else None

    def frames(self) -> Iterator[Samples]:
        """Yield `(n, channels)` float32; each piece is overwritten by the next."""
        buffer = np.empty((FRAMES_PER_READ, self.channels), np.float32)
        per_call = min(_FRAMES_PER_CALL.get(self._file.format, FRAMES_PER_READ), FRAMES_PER_READ)
        # Never past the declared end: what follows the last frame of a FLAC file would count as a damaged one.
        left = _UNKNOWN_FRAMES if self.declared_frames is None else self.declared_frames
        filled = 0
        while left > 0:
            try:
                # What `read(out=...)` does around the same call takes as long as a tenth of decoding MP3.
                got = self._file.buffer_read_into(buffer[filled : filled + min(left, per_call)], "float32")
            except soundfile.LibsndfileError as error:
                yield buffer[:filled]
                self._raise_failure()
                raise AudioError(f"{self._name}: cannot be decoded ({_reason(error)})") from error
            if got == 0:
                break
            filled += got
            left -= got
            if filled > FRAMES_PER_READ - per_call:
                yield buffer[:filled]
                filled = 0
        yield buffer[:filled]
        self._raise_failure()

    def close(self) -> None:
        self._file.close()

    def _raise_failure(self) -> None:
        """Raise what kept the file from being read, which libsndfile has taken for its end."""
        if not isinstance(self._source, int) and self._source.failure is not None:
            raise self._source.failure


def _reason(error: soundfile.LibsndfileError) -> str:
    text = str(error.error_string).removeprefix("Error :").strip().rstrip(".")
    return next((clearer for start, clearer in _CLEARER.items() if text.startswith(start)), text)
