"""Decoding in child processes: a decoder that crashes or hangs there costs its recording, and nothing else.

A child serves one recording after another. It gets a line of JSON for each, and answers in messages: a kind, a length,
and that many bytes.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import numpy as np

from cedtag.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO
    from types import TracebackType

    from cedtag.audio.mono import Samples
    from cedtag.audio.raw import RawFormat
    from cedtag.records import Source

MESSAGE = struct.Struct("<BI")
# What a message says: a block of float32; the recording has ended (problems, warnings); it failed (error, stage).
BLOCK, ENDED, FAILED = range(3)

_SECONDS_TO_END = 5.0


class DecoderProcess:
    """A process that decodes recordings for this one."""

    def __init__(self) -> None:
        # The child searches modules where this process does: with `-m` it would begin in the current folder, which may
        # be anybody's. In a session of its own, Ctrl-C reaches this process alone, which then decides.
        program = f"import sys; sys.path[:] = {sys.path!r}; from cedtag.audio.subprocess_worker import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._requests = cast("FileIO", self._process.stdin)
        self._answers = cast("FileIO", self._process.stdout)

    def ask(self, source: Source, raw: RawFormat | None) -> None:
        """Tell the child which recording to decode."""
        asked = {"path": source.path, "name": source.name, "raw": raw and [raw.encoding, raw.rate_hz, raw.channels]}
        with suppress(BrokenPipeError):  # it is dead, as reading its answer will show
            self._requests.write(json.dumps(asked).encode() + b"\n")

    def answer(self) -> tuple[int, bytearray] | None:
        """Return the next message, or None when the child is dead."""
        header = self._read(MESSAGE.size)
        if header is None:
            return None
        kind, length = MESSAGE.unpack(header)
        body = self._read(length)
        return None if body is None else (kind, body)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End the child at once; whoever waits for its answer gets None."""
        self._process.kill()

    def stop(self) -> None:
        """End the child and let go of its pipes; nobody may be waiting for its answer."""
        self._requests.close()
        self._answers.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cause_of_death(self) -> str:
        """Say how the child ended."""
        status = self._process.wait()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def _read(self, length: int) -> bytearray | None:
        body = bytearray(length)
        view = memoryview(body)
        while view:
            num_bytes = self._answers.readinto(view)
            if not num_bytes:
                return None
            view = view[num_bytes:]
        return body


class SubprocessRecording:
    """A recording that a child process decodes; see `cedtag.audio.Recording`.

    Nothing waits for the child before the first block, so `close` ends a decoder that hangs while it opens the file.
    `release` takes the child back when it is ready for another recording.
    """

    def __init__(
        self, source: Source, raw: RawFormat | None, child: DecoderProcess, release: Callable[[DecoderProcess], None]
    ) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._name = source.name
        self._child = child
        self._release = release
        self._in_use = threading.Lock()
        self._abandoned = self._closed = self._is_idle = False
        child.ask(source, raw)

    def blocks(self) -> Iterator[Samples]:
        """Yield new arrays `(n,)` of 16 kHz mono."""
        num_blocks = 0
        try:
            while (block := self._next_block()) is not None:
                yield block
                num_blocks += 1
        except AudioError as error:
            if self._abandoned or not num_blocks:
                raise
            self.problems.append(str(error).removeprefix(f"{self._name}: "))

    def close(self) -> None:
        """Let go of the recording; a child in the middle of it is killed."""
        self._abandoned = True
        if not self._is_idle:
            self._child.kill()
        with self._in_use:
            if self._closed:
                return
            self._closed = True
            if self._is_idle:
                self._release(self._child)
            else:
                self._child.stop()

    def __enter__(self) -> SubprocessRecording:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _next_block(self) -> Samples | None:
        """Return the next block, or None at the end."""
        with self._in_use:
            answer = None if self._closed else self._child.answer()
            if answer is None:
                raise self._given_up() if self._abandoned else self._crashed()
            kind, body = answer
            if kind == BLOCK:
                return np.frombuffer(body, np.float32)
            self._is_idle = True
            said = json.loads(body)
            if kind == FAILED:
                raise AudioError(said["error"], stage=said["stage"])
            self.problems += said["problems"]
            self.warnings += said["warnings"]
            return None

    def _given_up(self) -> AudioError:
        return AudioError(f"{self._name}: was given up while it was read", stage="timeout")

    def _crashed(self) -> AudioError:
        return AudioError(f"{self._name}: its decoder crashed ({self._child.cause_of_death()})")


class DecoderPool:
    """The child processes that wait for their next recording; more are started when none does."""

    def __init__(self) -> None:
        self._waiting: list[DecoderProcess] = []
        self._closed = False
        self._lock = threading.Lock()

    def open(self, source: Source, raw: RawFormat | None) -> SubprocessRecording:
        """Open a recording in a child process."""
        return SubprocessRecording(source, raw, self._take() or DecoderProcess(), self._take_back)

    def close(self) -> None:
        """End the children that wait, and from now on every other when its recording is closed."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
        for child in waiting:
            child.stop()

    def _take(self) -> DecoderProcess | None:
        with self._lock:
            while self._waiting:
                child = self._waiting.pop()
                if child.is_alive():
                    return child
                child.stop()  # somebody killed it while it had nothing to do
        return None

    def _take_back(self, child: DecoderProcess) -> None:
        with self._lock:
            if not self._closed:
                self._waiting.append(child)
                return
        child.stop()
