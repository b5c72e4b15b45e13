"""The program of a decoding child process: see `cedtag.audio.subprocess_decoder`."""

from __future__ import annotations

import json
import os
import resource
import select
import sys
import threading
from typing import Any, BinaryIO

from cedtag.audio.in_process import open_in_process
from cedtag.audio.raw import RawFormat
from cedtag.audio.subprocess_decoder import BLOCK, ENDED, FAILED, MESSAGE
from cedtag.errors import AudioError
from cedtag.records import Source

# Decoders may be made to ask for any amount of memory; none needs more than a fraction of this.
_MAX_MEMORY_BYTES = 2 << 30


def main() -> None:
    """Decode the recordings that are asked for on standard input until it ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _MAX_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(_MAX_MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What decoders print themselves must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin.buffer:
        _serve(json.loads(line), answers)


def _serve(asked: dict[str, Any], answers: BinaryIO) -> None:
    source = Source(path=asked["path"], name=asked["name"], relative="")
    try:
        with open_in_process(source, RawFormat(*asked["raw"]) if asked["raw"] else None) as recording:
            for block in recording.blocks():
                _send(answers, BLOCK, block.data)
    except AudioError as error:
        _send_json(answers, FAILED, {"error": str(error), "stage": error.stage})
    except MemoryError:
        _send_json(answers, FAILED, {"error": f"{source.name}: decoding it takes too much memory", "stage": "decode"})
    except Exception as error:  # noqa: BLE001 -- damaged files make decoders raise anything
        said = f"{source.name}: its decoder failed ({type(error).__name__}: {error})"
        _send_json(answers, FAILED, {"error": said, "stage": "decode"})
    else:
        _send_json(answers, ENDED, {"problems": recording.problems, "warnings": recording.warnings})


def _send_json(answers: BinaryIO, kind: int, said: dict[str, Any]) -> None:
    _send(answers, kind, json.dumps(said).encode())


def _send(answers: BinaryIO, kind: int, body: bytes | memoryview) -> None:
    answers.write(MESSAGE.pack(kind, memoryview(body).nbytes))
    answers.write(body)
    answers.flush()


def _end_with_parent() -> None:
    """Exit as soon as nobody can ask any more, also from the middle of a decoder that hangs."""
    ended = select.poll()
    ended.register(sys.stdin.fileno(), 0)
    ended.poll()
    os._exit(0)
