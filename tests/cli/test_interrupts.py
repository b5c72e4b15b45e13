"""The first signal is an exception, the second the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import numpy as np
import pytest
import soundfile

from tests.micro import CHECKPOINT
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


IMPORTING = """
import sys
from pathlib import Path
from cedtag.cli.shared.interrupts import Interrupted, Interrupts, wait_for_loading

if sys.argv[2] == "run":
    interrupts = Interrupts()
    interrupts.install()
else:
    wait_for_loading()
sys.path.insert(0, sys.argv[1])
try:
    import slow
    for _ in range(100):
        slow.time.sleep(0.1)
    print("never stopped", flush=True)
except KeyboardInterrupt as stop:
    print("ends", type(stop).__name__, "slow" in sys.modules, flush=True)
"""


@pytest.mark.parametrize(("how", "kind"), [("run", "Interrupted"), ("other", "KeyboardInterrupt")])
def test_a_signal_during_an_import_takes_effect_after_it(tmp_path, how, kind):
    (tmp_path / "slow.py").write_text(
        "import time\nprint('imports', flush=True)\ntime.sleep(0.5)\nprint('done', flush=True)\n"
    )
    with subprocess.Popen(command_of(IMPORTING, tmp_path, how), stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"imports\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == f"done\nends {kind} True\n".encode()
    assert process.returncode == 0


def test_a_second_ctrl_c_does_not_wait_for_an_import_that_hangs(tmp_path):
    (tmp_path / "slow.py").write_text("import time\nprint('imports', flush=True)\ntime.sleep(100)\n")
    for how in ("run", "other"):
        with subprocess.Popen(command_of(IMPORTING, tmp_path, how), stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"imports\n"
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            assert process.stdout.read() in (b"", b"ends KeyboardInterrupt False\n")
        assert process.returncode in (0, 130)


@pytest.mark.slow
def test_ctrl_c_at_any_moment_ends_with_its_exit_code(tmp_path):
    rng = random.Random(5)
    program = "import runpy; runpy.run_module('cedtag', run_name='__main__')"
    sample = tmp_path / "a.wav"
    soundfile.write(sample, np.zeros(16_000 * 60), 16_000)
    for _ in range(20):
        command = command_of(program, sample, "-m", CHECKPOINT, "--no-progress", "-w", "1")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            time.sleep(rng.uniform(0.5, 2.5))
            process.send_signal(signal.SIGINT)
            said = process.stderr.read()
        assert process.returncode in (0, 130), said


def test_a_signal_that_is_ignored_stays_ignored():
    with start("plain", 0.3, ignored=[signal.SIGHUP]) as process:
        process.send_signal(signal.SIGHUP)
        assert process.stdout.read() == b"wrote\n"
    assert process.returncode == 0
