"""Programs in a pseudo-terminal, as somebody sees them."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ARCHIVE = [sys.executable, "-m", "tests.archive"]


def on_terminal(
    command: Sequence[object],
    *,
    columns: int = 80,
    piped: bool = False,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[int, str, str]:
    """The exit code of a command, what it wrote to a terminal of this width, and to a pipe if its stdout is `piped`."""
    lead, follow = pty.openpty()
    fcntl.ioctl(follow, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    out = subprocess.PIPE if piped else follow
    environment = os.environ | {"TERM": "xterm"} | dict(env or {})
    process = subprocess.Popen(
        [*map(str, command)],
        stdin=follow,
        stdout=out,
        stderr=follow,
        env=environment,
        start_new_session=True,
        cwd=folder,
    )
    os.close(follow)
    shown, rows = b"", b""
    while piece := _read(lead):
        shown += piece
    if process.stdout is not None:
        rows = process.stdout.read()
        process.stdout.close()
    os.close(lead)
    return process.wait(60), shown.decode().replace("\r\n", "\n"), rows.decode()


def _read(lead: int) -> bytes:
    try:
        return os.read(lead, 1 << 16)
    except OSError:  # Linux has no end of file for a terminal that is closed
        return b""
