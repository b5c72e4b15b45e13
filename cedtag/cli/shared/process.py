"""The process of the command line: its encoding, its standard streams, and its end."""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

# An argument that names standard output, with the option before it or without.
_STDOUT = re.compile(r"(?:(?<=^-o)|(?<==)|^)(?:/dev/stdout|/dev/fd/1|/proc/self/fd/1)$")


def use_utf8_names() -> None:
    """Start again if names are not what UTF-8 makes of their bytes: the locale has another encoding.

    Otherwise the same file would have another name in results and journals under another locale.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.name != "posix":
        return
    own = Path("/proc/self/cmdline")
    # Not what Python decoded: not all encodings give the same bytes back.
    arguments = own.read_bytes().split(b"\0")[1:-1] if own.exists() else list(map(os.fsencode, sys.orig_argv[1:]))
    python = os.fsencode(sys.executable)
    # The option counts where the environment does not, the variable in the processes that this one starts.
    os.execve(python, [python, b"-X", b"utf8", *arguments], {**os.environb, b"PYTHONUTF8": b"1"})


def open_closed_streams() -> None:
    """Give closed standard streams a place, or the first file that is opened becomes one and receives its messages."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open()  # noqa: SIM115 -- as long as the process


def keep_stdout_for_data(args: Sequence[str]) -> list[str]:
    """Give `sys.stdout` a descriptor of its own, and 1 to nobody: decoders in C print there, even before the first row.

    Returns the arguments, and changes the variables of options, with the new name of what was `/dev/stdout`.
    """
    if sys.stdout is None:
        return list(args)
    sys.stdout.flush()
    descriptor = os.dup(sys.stdout.fileno())
    how: dict[str, Any] = {name: getattr(sys.stdout, name) for name in ("encoding", "errors", "line_buffering")}
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(open(descriptor, "wb"), **how)  # type: ignore[misc]  # noqa: PTH123, SIM115
    name = f"/dev/fd/{descriptor}"
    for variable, value in os.environ.items():
        if variable.startswith("CEDTAG_"):
            os.environ[variable] = _STDOUT.sub(name, value)
    return [_STDOUT.sub(name, arg) for arg in args]


def leave(code: int) -> NoReturn:
    """End now: a decoder that hangs in a thread must not keep the process, and a closed pipe must not complain."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            if stream is not None:
                stream.flush()
    os._exit(code)
