"""The first signal is an exception, the second the end."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.programs import command_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
PROGRAM = """
import sys, time
from contextlib import nullcontext
from cedtag.cli.shared.interrupts import Interrupted, Interrupts

interrupts = Interrupts()
interrupts.install()
try:
    with interrupts.deferred() if sys.argv[1] == "deferred" else nullcontext():
        print("works", flush=True)
        time.sleep(float(sys.argv[2]))
        print("wrote", flush=True)
except Interrupted as interrupted:
    print("ends", interrupted.signal_number, flush=True)
    time.sleep(float(sys.argv[2]))
"""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def start(*args: object, **options: object) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command_of(PROGRAM, *args, **options), stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"works\n"
    return process


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_signal_ends_the_process_at_once_with_its_own_exit_code(first, second):
    with start("plain", 60) as process:
        process.send_signal(first)
        assert process.stdout.readline() == b"ends %d\n" % first
        sent = time.monotonic()
        process.send_signal(second)
        assert process.wait(30) == 128 + second
        assert time.monotonic() - sent < 30


def test_a_signal_takes_effect_after_what_is_written_and_the_second_before(capfd):
    with start("deferred", 0.5) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b"wrote\nends 15\n"
    assert process.returncode == 0
    with start("deferred", 60) as process:
        process.send_signal(signal.SIGSTOP)  # so that both are there when it goes on
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == b""
    assert process.returncode in (130, 143)


def test_a_signal_that_is_ignored_stays_ignored():
    with start("plain", 0.3, ignored=[signal.SIGHUP]) as process:
        process.send_signal(signal.SIGHUP)
        assert process.stdout.read() == b"wrote\n"
    assert process.returncode == 0
