"""Frames as they are stored: at the recording's own rate, with all of its channels."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from threading import Timer
from typing import TYPE_CHECKING

import numpy as np

from cedtag.audio.audio_file import open_audio
from cedtag.audio.in_process import decoder_of
from cedtag.audio.open import unreadable
from cedtag.audio.parts import SteadyDecoder
from cedtag.audio.selection import Selection
from cedtag.audio.subprocess_channel import BLOCK, FAILED
from cedtag.audio.subprocess_decoder import DecoderProcess
from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.audio_file import AudioFile
    from cedtag.audio.in_process import Decoder
    from cedtag.audio.mono import Samples
    from cedtag.records import Source

# A child process that decodes nothing for so long is killed.
TIMEOUT_S = 120.0


@contextmanager
def opened_frames(source: Source, track: str | None = None, timeout_s: float = TIMEOUT_S) -> Iterator[Decoder]:
    """Open the file at `source.path` for the frames of its best sound track, or of another `track`, in one format.

    PyAV decodes in a child process. An `AudioError`, here or from `frames`, holds the reason of failure.
    """
    with (
        closing(open_audio(source, selection=Selection(track=track))) as file,
        closing(_decoder(file, timeout_s)) as decoder,
    ):
        yield decoder


def _decoder(file: AudioFile, timeout_s: float) -> Decoder:
    try:
        return SubprocessFrames(file, timeout_s) if file.needs_pyav else SteadyDecoder(decoder_of(file), file.name)
    except OSError as error:
        raise unreadable(file.name, error) from error


class SubprocessFrames:
    """The frames that a child process decodes; a `Decoder`."""

    declared_frames: int | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __init__(self, file: AudioFile, timeout_s: float = TIMEOUT_S) -> None:
        self._name, self._timeout_s = file.name, timeout_s
        self._process = DecoderProcess()
        self._process.ask(file, frames=True)
        try:
            form = json.loads(self._answer()[1])
        except BaseException:
            self.close()
            raise
        self.rate_hz, self.channels = form["rate_hz"], form["channels"]

    def frames(self) -> Iterator[Samples]:
        """Yield `(n, channels)` float32; an `AudioError` if they end too early."""
        while True:
            kind, body = self._answer()
            if kind != BLOCK:
                self.problems = tuple(json.loads(body)["problems"])
                return
            yield np.frombuffer(body, np.float32).reshape(-1, self.channels)

    def close(self) -> None:
        """End the process, at once when it is in the middle of something."""
        self._process.kill()
        self._process.stop()

    def _answer(self) -> tuple[int, bytearray]:
        """The next message that is no failure."""
        limit = Timer(self._timeout_s, self._process.kill)
        limit.daemon = True
        limit.start()
        answer = self._process.answer()
        in_time = limit.is_alive()
        limit.cancel()
        if answer is None:
            raise self._crashed() if in_time else self._timed_out()
        if answer[0] == FAILED:
            said = json.loads(answer[1])
            raise AudioError(**said)
        return answer

    def _timed_out(self) -> AudioError:
        silence = f"no samples from the decoder for {self._timeout_s:g} s; stopped (timeout)"
        return AudioError(f"{self._name}: {silence}", stage="timeout")

    def _crashed(self) -> AudioError:
        return AudioError(f"{self._name}: its decoder crashed ({self._process.cause_of_death()})")
