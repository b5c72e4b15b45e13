"""A child process learns that its parent has ended."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

PROGRAM = (
    "import os, time\n"
    "from cedtag.system.processes import on_input_closed\n"
    "on_input_closed(lambda: os._exit(7))\n"
    "print('waits', flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_child_that_hangs_ends_when_its_input_is_closed_and_not_before(kind):
    ours, theirs = socket.socketpair()
    stdin = subprocess.PIPE if kind == "pipe" else theirs.fileno()
    child = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=stdin, stdout=subprocess.PIPE)
    theirs.close()
    assert child.stdout.readline() == b"waits\n"
    if kind == "pipe":
        child.stdin.write(b"words")
        child.stdin.flush()
    else:
        ours.sendall(b"words")
    time.sleep(0.2)
    assert child.poll() is None
    ours.close()
    child.communicate()
    assert child.returncode == 7
