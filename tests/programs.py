"""Python programs to be run as processes of their own."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def command_of(program: str, *args: object, ignored: Collection[signal.Signals] = ()) -> list[str]:
    """The command line of a program to which signals do what they usually do, but for those to be ignored.

    A process inherits what its parent ignores, and a shell that runs the tests in the background ignores SIGINT.
    """
    usual = dict.fromkeys((signal.SIGTERM, signal.SIGHUP), "SIG_DFL") | {signal.SIGINT: "default_int_handler"}
    actions = usual | dict.fromkeys(ignored, "SIG_IGN")
    prelude = "".join(f"signal.signal({number:d}, signal.{action})\n" for number, action in actions.items())
    return [sys.executable, "-c", f"import signal\n{prelude}{program}", *map(str, args)]
