"""Threads of one run, and the queues between them that can be closed."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Item = TypeVar("Item")


class WorkQueue(Generic[Item]):
    """A queue that gives None, to all who wait and all who come later, once it is closed; what it holds is dropped."""

    def __init__(self) -> None:
        self._items: SimpleQueue[Item | None] = SimpleQueue()
        self._closed = False

    def put(self, item: Item) -> None:
        self._items.put(item)

    def get(self) -> Item | None:
        """Wait for the next item; None when the queue is closed."""
        return self._unless_closed(self._items.get())

    def get_waiting(self) -> Item | None:
        """The next item if one is there; None if not, or when the queue is closed."""
        try:
            return self._unless_closed(self._items.get_nowait())
        except Empty:
            return None

    def close(self) -> None:
        self._closed = True
        self._items.put(None)

    def _unless_closed(self, item: Item | None) -> Item | None:
        if not self._closed:
            return item
        self._items.put(None)  # for the next thread that waits
        return None


class DaemonThreads:
    """Threads that a process need not wait for when it ends: a decoder may never come back."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def start(self, name: str, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"cedtag-{name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def join(self, timeout_s: float) -> None:
        """Wait until all have ended, together for no longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
