"""The program of a child process that decodes: see `cedtag.audio.subprocess_decoder`."""

from __future__ import annotations

import os
import resource
import socket
import sys
from typing import TYPE_CHECKING, BinaryIO

from cedtag.audio.in_process import open_in_process
from cedtag.audio.subprocess_channel import BLOCK, ENDED, FAILED, receive_file, send_json, send_message
from cedtag.errors import AudioError
from cedtag.system.processes import on_input_closed

if TYPE_CHECKING:
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
        while (file := receive_file(requests)) is not None:
            _decode(file, answers)


def _decode(file: AudioFile, answers: BinaryIO) -> None:
    try:
        with open_in_process(file) as recording:
            for block in recording.blocks():
                send_message(answers, BLOCK, block.data)
    except AudioError as error:
        send_json(answers, FAILED, {"error": str(error), "stage": error.stage})
    except MemoryError:
        send_json(answers, FAILED, {"error": f"{file.name}: decoding it takes too much memory", "stage": "decode"})
    except Exception as error:  # noqa: BLE001 -- damaged files make decoders raise anything
        message = f"{file.name}: its decoder failed ({type(error).__name__}: {error})"
        send_json(answers, FAILED, {"error": message, "stage": "decode"})
    else:
        send_json(answers, ENDED, {"problems": recording.problems, "warnings": recording.warnings})
