"""Child processes that end with their parent."""

from __future__ import annotations

import select
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def on_input_closed(end: Callable[[], object]) -> None:
    """Call `end` once the other end of standard input is closed, which it is at the latest when the parent has ended.

    It is called in a thread, so also where the main one hangs. Standard input must be a pipe or a socket.
    """
    closed = select.poll()
    closed.register(sys.stdin.fileno(), 0)  # no event but the end is waited for

    def wait() -> None:
        closed.poll()
        end()

    threading.Thread(target=wait, name="cedtag-parent", daemon=True).start()
