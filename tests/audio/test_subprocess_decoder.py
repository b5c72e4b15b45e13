"""Child processes decode what this process opened, and cost nothing but their recording."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio import Decoders, Decoding, open_recording, parse_raw_format
from cedtag.audio.audio_file import AudioFile, open_audio
from cedtag.audio.containers.identify import Container
from cedtag.audio.open import open_regular, size_and_mtime
from cedtag.audio.subprocess_decoder import DecoderProcess, SubprocessRecording
from cedtag.errors import AudioError
from tests.sounds import bursts, decoded, decoded_by, source_of, times_open, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cedtag.audio import Recording

RATE_HZ = 16_000
ISOLATED = Decoding(isolate=True)


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    with Decoders(ISOLATED) as decoders:
        yield decoders


@pytest.fixture
def short(tmp_path: Path) -> Path:
    return write(tmp_path / "short.wav", bursts(1, RATE_HZ), RATE_HZ)


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A recording that does not fit the pipe between the processes."""
    return write(tmp_path / "long.wav", np.zeros((5_000_000, 1), np.float32), RATE_HZ)


def pid_of(recording: Recording) -> int:
    """The process that decodes a recording."""
    assert isinstance(recording, SubprocessRecording)
    return recording._process._process.pid


def warm(decoders: Decoders, path: Path) -> int:
    """Have a child decode a recording and wait for the next one; its process."""
    with decoders.open(source_of(path)) as recording:
        assert list(recording.blocks())
    return pid_of(recording)


def test_one_child_serves_one_recording_after_another(
    decoders: Decoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = []
    start = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: children.append(start(*args, **options)) or children[-1]
    )
    for kind in ("wav", "flac", "mp3"):
        decoded_by(decoders, write(tmp_path / f"a.{kind}", bursts(1, RATE_HZ), RATE_HZ))
    decoders.close()
    assert [child.returncode for child in children] == [0]


def test_the_outcome_is_the_same_as_in_this_process(decoders: Decoders, tmp_path: Path) -> None:
    good = write(tmp_path / "good.flac", bursts(3, 44_100, 2), 44_100)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(good.read_bytes()[:50_000])
    anti = write(tmp_path / "anti.wav", np.hstack([bursts(1, 8_000), -bursts(1, 8_000)]), 8_000)
    for path in (good, cut, anti):
        here, apart = decoded(path), decoded_by(decoders, path)
        np.testing.assert_array_equal(apart[0], here[0])
        assert apart[1:] == here[1:]
    text = tmp_path / "text.wav"
    text.write_text("words")
    for path in (text, tmp_path / "missing.wav"):
        with pytest.raises(AudioError) as here_error:
            open_recording(source_of(path))
        with pytest.raises(AudioError) as apart_error:
            decoders.open(source_of(path))
        assert str(apart_error.value) == str(here_error.value)
        assert apart_error.value.stage == here_error.value.stage


def test_headerless_audio_is_decoded_in_children_too(short: Path) -> None:
    raw = parse_raw_format("s16le,8000,2")
    here, apart = decoded(short, Decoding(raw)), decoded(short, Decoding(raw, isolate=True))
    np.testing.assert_array_equal(apart[0], here[0])
    assert len(apart[0]) == pytest.approx(16_022, abs=20)
    assert apart[1:] == here[1:]


def test_a_crash_costs_its_recording_alone(decoders: Decoders, short: Path, long: Path) -> None:
    with decoders.open(source_of(long)) as recording:
        blocks = recording.blocks()
        next(blocks)
        os.kill(pid_of(recording), signal.SIGSEGV)
        list(blocks)
        assert recording.problems == ["its decoder crashed (SIGSEGV)"]
        assert recording.cause == "crash"
    assert len(decoded_by(decoders, short)[0])


def test_a_child_that_died_waiting_costs_no_recording(decoders: Decoders, short: Path) -> None:
    with decoders.open(source_of(short)) as recording:
        list(recording.blocks())
    process = recording._process._process  # type: ignore[attr-defined]
    process.kill()
    process.wait()
    assert len(decoded_by(decoders, short)[0])


def test_a_child_that_is_dead_when_it_is_asked_is_a_crash(short: Path) -> None:
    process = DecoderProcess()
    process.kill()
    assert process.cause_of_death() == "SIGKILL"
    file = open_audio(source_of(short))
    with (
        SubprocessRecording(file, process, lambda _: None) as recording,
        pytest.raises(AudioError, match=r"short\.wav: its decoder crashed \(SIGKILL\)") as caught,
    ):
        list(recording.blocks())
    assert caught.value.stage == "crash"
    file.close()


def test_closing_from_another_thread_ends_a_decoder_that_hangs(decoders: Decoders, short: Path) -> None:
    recording = decoders.open(source_of(short))
    os.kill(pid_of(recording), signal.SIGSTOP)
    threading.Timer(0.2, recording.close).start()
    started = time.monotonic()
    with pytest.raises(AudioError, match="closed while") as caught:
        list(recording.blocks())
    assert caught.value.stage == "timeout"
    assert time.monotonic() - started < 60


def test_a_child_that_hangs_ends_with_its_parent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    silent = os.open(tmp_path / "fifo", os.O_RDWR)  # nothing ever comes out of it, and it does not end
    program = (
        "import os, sys\n"
        "from cedtag.audio import RawFormat\n"
        "from cedtag.audio.audio_file import AudioFile\n"
        "from cedtag.audio.subprocess_decoder import DecoderPool\n"
        "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
        "recording = DecoderPool().open(AudioFile('a', fd, RawFormat('s8', 8_000, 1), (0, 0)))\n"
        "print(recording._process._process.pid, flush=True)\n"
        "sys.stdin.read()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "fifo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    wait_until(lambda: times_open(tmp_path / "fifo", pid) == 2)  # the decoder has its own
    parent.communicate()
    wait_until(lambda: _is_gone(pid))
    os.close(silent)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True, check=False)
    return status.stdout.startswith("Z")


def test_modules_in_the_current_folder_are_not_run(short: Path, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("open('was_run', 'w')")
    path = json.dumps([entry for entry in sys.path if entry])
    program = (
        f"import sys, json; sys.path[:] = json.loads({path!r})\n"
        "from cedtag.audio import Decoding, open_recording\n"
        "from cedtag.records import Source\n"
        "with open_recording(Source(sys.argv[1], 'a', 'a'), Decoding(isolate=True)) as recording:\n"
        "    assert list(recording.blocks())\n"
    )
    subprocess.run([sys.executable, "-c", program, short], cwd=tmp_path, check=True)
    assert not (tmp_path / "was_run").exists()


def test_a_file_that_is_replaced_after_it_was_opened_is_decoded_from_the_open_one(
    decoders: Decoders, short: Path, long: Path
) -> None:
    expected = decoded(short)
    pid = warm(decoders, short)
    os.kill(pid, signal.SIGSTOP)
    recording = decoders.open(source_of(short))
    long.replace(short)
    os.kill(pid, signal.SIGCONT)
    with recording:
        samples = np.concatenate(list(recording.blocks()))
    assert pid_of(recording) == pid
    np.testing.assert_array_equal(samples, expected[0])
    assert recording.problems == []


def test_a_change_before_the_child_begins_is_a_change_while_it_is_read(decoders: Decoders, short: Path) -> None:
    pid = warm(decoders, short)
    os.kill(pid, signal.SIGSTOP)
    recording = decoders.open(source_of(short))
    with short.open("ab") as file:
        file.write(bytes(4_096))
    os.kill(pid, signal.SIGCONT)
    with recording:
        list(recording.blocks())
    assert recording.problems == ["the file changed while it was read"]


def test_a_child_decodes_by_the_container_of_the_request(short: Path) -> None:
    fd = open_regular(source_of(short))
    process = DecoderProcess()
    with (
        SubprocessRecording(
            AudioFile("a", fd, Container("tta", "tta"), size_and_mtime(fd)), process, lambda _: None
        ) as recording,
        pytest.raises(AudioError, match=r"a: cannot be decoded \(Invalid data"),
    ):
        list(recording.blocks())
    os.close(fd)
    process.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="lists open files in /proc")
def test_neither_process_keeps_a_file_open(decoders: Decoders, short: Path, tmp_path: Path) -> None:
    with decoders.open(source_of(short)) as recording:
        assert times_open(short) == 0
        list(recording.blocks())
    assert times_open(short, pid_of(recording)) == 0
    broken = tmp_path / "broken.wav"
    broken.write_bytes(short.read_bytes()[:23])
    with decoders.open(source_of(broken)) as recording, pytest.raises(AudioError):
        list(recording.blocks())
    assert times_open(broken) == times_open(broken, pid_of(recording)) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="asks for the limits of another process")
def test_a_child_may_use_only_so_much_memory_and_leaves_no_core(decoders: Decoders, short: Path) -> None:
    pid = warm(decoders, short)
    assert resource.prlimit(pid, resource.RLIMIT_AS)[0] == 2 << 30
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit for another process")
def test_a_recording_that_takes_too_much_memory_costs_only_itself(
    decoders: Decoders, short: Path, tmp_path: Path
) -> None:
    wide = write(tmp_path / "wide.wav", np.zeros((20_000, 64), np.float32), RATE_HZ)
    pid = warm(decoders, short)
    limits = resource.prlimit(pid, resource.RLIMIT_AS)
    used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (used + (2 << 20), limits[1]))  # 64 channels take 4 MiB
    with (
        decoders.open(source_of(wide)) as recording,
        pytest.raises(AudioError, match=r"wide\.wav: decoding it takes too much memory"),
    ):
        list(recording.blocks())
    resource.prlimit(pid, resource.RLIMIT_AS, limits)
    assert warm(decoders, short) == pid
