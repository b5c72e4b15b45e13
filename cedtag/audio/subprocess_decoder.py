"""Decoding in child processes: a decoder that crashes or hangs there costs its recording, and nothing else.

A child process decodes one recording after another: see `cedtag.audio.subprocess_channel`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, cast

import numpy as np

from cedtag.audio.subprocess_channel import BLOCK, FAILED, FORMAT, receive_message, send_file
from cedtag.errors import AudioError
from cedtag.records import PASSING_STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO
    from types import TracebackType

    from cedtag.audio.audio_file import AudioFile
    from cedtag.audio.mono import Samples

_SECONDS_TO_END = 5.0


class DecoderProcess:
    """A child process that decodes recordings for this one."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _started(theirs)
            except OSError:
                self._requests.close()
                raise
        self._answers = cast("FileIO", self._process.stdout)

    def ask(self, file: AudioFile, *, frames: bool = False) -> None:
        """Send the process what to decode: to mono at 16 kHz, or to `frames` as they are stored."""
        with suppress(ConnectionError):  # it is dead, as reading its answer will show
            send_file(self._requests, file, frames=frames)

    def answer(self) -> tuple[int, bytearray] | None:
        """Return the next message, or None when the process is dead."""
        return receive_message(self._answers)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process at once; whoever waits for its answer gets None."""
        self._process.kill()

    def stop(self) -> None:
        """End the process and close what leads to it; nobody may be waiting for its answer."""
        self._requests.close()
        self._answers.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cause_of_death(self) -> str:
        """Return the signal or the exit status with which the process ended."""
        status = self._process.wait()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def _started(requests: socket.socket) -> subprocess.Popen[bytes]:
    # Modules are searched where this process does: with `-m` that would begin in the current folder, which may be
    # anybody's. In a session of its own, Ctrl-C reaches this process alone, which then decides.
    program = f"import sys; sys.path[:] = {sys.path!r}; from cedtag.audio.subprocess_worker import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=requests.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


class SubprocessRecording:
    """A recording that a child process decodes; see `cedtag.audio.Recording`.

    Nothing waits for the process before the first block, so `close` ends a decoder that hangs at once. `release` takes
    the process back when it is ready for another recording.
    """

    def __init__(self, file: AudioFile, process: DecoderProcess, release: Callable[[DecoderProcess], None]) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.cause = self.traceback = ""
        self._name = file.name
        self._num_channels = 0  # of blocks, once it is known that they have any
        self._process = process
        self._release = release
        self._in_use = threading.Lock()
        self._abandoned = self._closed = self._is_idle = False
        process.ask(file)

    def blocks(self) -> Iterator[Samples]:
        """Yield new arrays `(n,)` of 16 kHz mono."""
        num_blocks = 0
        try:
            while (block := self._next_block()) is not None:
                if len(block):
                    yield block
                    num_blocks += 1
        except AudioError as error:
            if self._abandoned or not num_blocks:
                raise
            self.problems.append(str(error).removeprefix(f"{self._name}: "))
            self.cause = error.stage if error.stage in PASSING_STAGES else ""
            self.traceback = error.traceback

    def close(self) -> None:
        """Close the recording; a process in the middle of it is killed."""
        self._abandoned = True
        if not self._is_idle:
            self._process.kill()
        with self._in_use:
            if self._closed:
                return
            self._closed = True
            if self._is_idle:
                self._release(self._process)
            else:
                self._process.stop()

    def __enter__(self) -> SubprocessRecording:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _next_block(self) -> Samples | None:
        """Return the next block, or None at the end."""
        with self._in_use:
            answer = None if self._closed else self._process.answer()
            if answer is None:
                raise self._closed_early() if self._abandoned else self._crashed()
            kind, body = answer
            if kind == BLOCK:
                block = np.frombuffer(body, np.float32)
                return block.reshape(-1, self._num_channels) if self._num_channels else block
            content = json.loads(body)
            if kind == FORMAT:
                self._num_channels = content["channels"]
                return np.empty((0, self._num_channels), np.float32)
            self._is_idle = True
            if kind == FAILED:
                raise AudioError(**content)
            self.problems += content["problems"]
            self.warnings += content["warnings"]
            self.cause, self.traceback = content["cause"], content["traceback"]
            return None

    def _closed_early(self) -> AudioError:
        return AudioError(f"{self._name}: was closed while it was read", stage="timeout")

    def _crashed(self) -> AudioError:
        return AudioError(f"{self._name}: its decoder crashed ({self._process.cause_of_death()})", stage="crash")


class DecoderPool:
    """The child processes that wait for their next recording; more are started when none does."""

    def __init__(self) -> None:
        self._waiting: list[DecoderProcess] = []
        self._closed = False
        self._lock = threading.Lock()

    def open(self, file: AudioFile) -> SubprocessRecording:
        """Decode a file in a child process, which gets its descriptor; here it is closed."""
        with closing(file):
            return SubprocessRecording(file, self._take() or DecoderProcess(), self._take_back)

    def close(self) -> None:
        """End the processes that wait, and from now on every other when its recording is closed."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
        for process in waiting:
            process.stop()

    def _take(self) -> DecoderProcess | None:
        with self._lock:
            while self._waiting:
                process = self._waiting.pop()
                if process.is_alive():
                    return process
                process.stop()  # somebody killed it while it had nothing to do
        return None

    def _take_back(self, process: DecoderProcess) -> None:
        with self._lock:
            if not self._closed:
                self._waiting.append(process)
                return
        process.stop()
