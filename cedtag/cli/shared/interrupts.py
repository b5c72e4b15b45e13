"""Signals: the first ends the run in good order, the second at once."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_RETRY_S = 0.01
_PACKAGE = Path(__file__).parent.parent.parent
_LOADING = ("<frozen importlib", str(_PACKAGE / "scoring" / "__init__.py"), str(_PACKAGE / "model" / "weights.py"))
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(KeyboardInterrupt):
    """A signal asked for the end of the run."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


class AfterLoading:
    """Calls a function that raises: at once, or as soon as no module and no weights are being loaded.

    There an exception goes through extension modules, and those of torch abort the process then, or raise another. A
    second call does not wait: an import can hang.
    """

    def __init__(self) -> None:
        self._usual = _num_loading_frames(sys._getframe())
        self._is_waiting = False

    def call(self, raising: Callable[[], object], frame: FrameType | None) -> None:
        is_second, self._is_waiting = self._is_waiting, True
        self._try(raising, None if is_second else frame)

    def _try(self, raising: Callable[[], object], frame: FrameType | None) -> None:
        if not self._is_waiting:  # an alarm that came too late
            return
        if _num_loading_frames(frame) > self._usual and hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, lambda _, later: self._try(raising, later))
            signal.setitimer(signal.ITIMER_REAL, _RETRY_S)
            return
        self._is_waiting = False
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)  # or it may end the process on its way out
        raising()


def _num_loading_frames(frame: FrameType | None) -> int:
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename.startswith(_LOADING)
        frame = frame.f_back
    return count


def wait_for_loading() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, but not while something is being loaded."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    after_loading = AfterLoading()

    def stop() -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, lambda _, frame: after_loading.call(stop, frame))


class Interrupts:
    """Raises `Interrupted` at the first signal, but never inside `deferred`, where results are written down."""

    def __init__(self) -> None:
        self._received: int | None = None
        self._deferring = self._has_ended = False
        self._after_loading = AfterLoading()

    def install(self) -> None:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asks for that
                signal.signal(number, self._handle)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A signal that comes in the block takes effect at its end."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        self._end()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            os._exit(128 + number)
        self._received = number
        self._after_loading.call(self._end, frame)

    def _end(self) -> None:
        if self._received is not None and not (self._deferring or self._has_ended):
            self._has_ended = True
            raise Interrupted(self._received)
