"""The program of a child process that decodes: see `cedtag.audio.subprocess_decoder`."""

from __future__ import annotations

import os
import resource
import socket
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cedtag.audio.bugs import bugs_reported
from cedtag.audio.in_process import decoder_of, open_in_process
from cedtag.audio.open import unreadable
from cedtag.audio.parts import SteadyDecoder
from cedtag.audio.subprocess_channel import BLOCK, ENDED, FAILED, FORMAT, receive_file, send_json, send_message
from cedtag.errors import AudioError
from cedtag.system.processes import on_input_closed

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.audio_file import AudioFile

# Decoders may be made to ask for any amount of memory; none needs more than a fraction of this.
_MAX_MEMORY_BYTES = 2 << 30


def main() -> None:
    """Decode the files that come through the socket at standard input until it is closed."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _MAX_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(_MAX_MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    on_input_closed(lambda: os._exit(0))  # also from the middle of a decoder that hangs
    # What decoders print themselves must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with socket.socket(fileno=sys.stdin.fileno()) as requests:
        while (asked := receive_file(requests)) is not None:
            file, frames = asked
            _decode(file, answers, _send_frames if frames else _send_mono)


def _send_mono(file: AudioFile, answers: BinaryIO) -> dict[str, Any]:
    """Send all samples at 16 kHz, in channels if each is scored by itself; return the message for their end."""
    with open_in_process(file) as recording:
        for place, block in enumerate(recording.blocks()):
            if place == 0 and block.ndim == 2:
                send_json(answers, FORMAT, {"channels": block.shape[1]})
            send_message(answers, BLOCK, block.reshape(-1).data)
    said = ("problems", "warnings", "cause", "traceback")
    return {name: getattr(recording, name) for name in said}


def _send_frames(file: AudioFile, answers: BinaryIO) -> dict[str, Any]:
    """Send all frames as they are stored, in the format of the first; return the message for their end."""
    with closing(file), closing(SteadyDecoder(decoder_of(file), file.name)) as decoder:
        send_json(answers, FORMAT, {"rate_hz": decoder.rate_hz, "channels": decoder.channels})
        for frames in decoder.frames():
            send_message(answers, BLOCK, np.ascontiguousarray(frames, np.float32).reshape(-1).data)
    return {"problems": decoder.problems}


def _decode(file: AudioFile, answers: BinaryIO, send: Callable[[AudioFile, BinaryIO], dict[str, Any]]) -> None:
    try:
        with bugs_reported(file.name):
            ending = send(file, answers)
    except AudioError as error:
        _send_failure(answers, error)
    except MemoryError:
        _send_failure(answers, AudioError(f"{file.name}: decoding it takes too much memory"))
    except OSError as error:
        _send_failure(answers, unreadable(file.name, error))
    else:
        send_json(answers, ENDED, ending)


def _send_failure(answers: BinaryIO, error: AudioError) -> None:
    send_json(answers, FAILED, {"message": str(error), "stage": error.stage, "traceback": error.traceback})
