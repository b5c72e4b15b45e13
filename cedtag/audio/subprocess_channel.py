"""What goes between this process and one that decodes for it.

A request is a line of JSON and an open descriptor, through a socket; the next one waits until all answers have come.
Answers are messages through a pipe: a kind, a length, and that many bytes.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, BinaryIO

from cedtag.audio.audio_file import AudioFile
from cedtag.audio.containers.identify import Container
from cedtag.audio.containers.span import Span
from cedtag.audio.raw import RawFormat
from cedtag.audio.selection import Selection

if TYPE_CHECKING:
    from io import FileIO

# Kinds of messages: a block of float32; the recording has ended (what a `Recording` then holds); it failed (what an
# `AudioError` takes); the shape of the blocks that follow, where they have channels (rate_hz, channels).
BLOCK, ENDED, FAILED, FORMAT = range(4)

_MESSAGE = struct.Struct("<BI")
_REQUEST_BYTES = 1 << 16


def send_file(requests: socket.socket, file: AudioFile, *, frames: bool = False) -> None:
    """Send what is to be decoded: to mono at 16 kHz, or to `frames` as they are stored.

    Both descriptors share one position in the file: close this one.
    """
    form = {"raw" if isinstance(file.format, RawFormat) else "container": astuple(file.format)}
    what = {"name": file.name, "size_and_mtime": file.size_and_mtime, "frames": frames}
    what |= {"selection": astuple(file.selection), "span": astuple(file.span)}
    request = json.dumps(what | form).encode() + b"\n"
    num_sent = socket.send_fds(requests, [request], [file.fd])
    requests.sendall(request[num_sent:])


def receive_file(requests: socket.socket) -> tuple[AudioFile, bool] | None:
    """Wait for the next file to decode, and whether to `frames`; None when the parent has closed the channel."""
    request, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 1)
    while not request.endswith(b"\n"):
        if not (more := requests.recv(_REQUEST_BYTES)):
            return None
        request += more
    said = json.loads(request)
    form = RawFormat(*said["raw"]) if "raw" in said else Container(*said["container"])
    size, mtime_ns = said["size_and_mtime"]
    selection, span = Selection(*said["selection"]), Span(*said["span"])
    return AudioFile(said["name"], descriptors[0], form, (size, mtime_ns), selection, span), said["frames"]


def send_message(answers: BinaryIO, kind: int, body: bytes | memoryview) -> None:
    answers.write(_MESSAGE.pack(kind, memoryview(body).nbytes))
    answers.write(body)
    answers.flush()


def send_json(answers: BinaryIO, kind: int, content: dict[str, Any]) -> None:
    send_message(answers, kind, json.dumps(content).encode())


def receive_message(answers: FileIO) -> tuple[int, bytearray] | None:
    """Wait for the next message; None when the sender is dead."""
    header = _read(answers, _MESSAGE.size)
    if header is None:
        return None
    kind, length = _MESSAGE.unpack(header)
    body = _read(answers, length)
    return None if body is None else (kind, body)


def _read(answers: FileIO, length: int) -> bytearray | None:
    body = bytearray(length)
    view = memoryview(body)
    while view:
        num_bytes = answers.readinto(view)
        if not num_bytes:
            return None
        view = view[num_bytes:]
    return body
