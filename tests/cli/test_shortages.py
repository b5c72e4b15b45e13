"""Where the system runs out of something, a run ends with one sentence and its cause, and goes on later."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cedtag.cli.shared.shortages import shortage_of
from tests.archive import DELAY, StubScorer, make_archive, stub_tagger
from tests.micro import CHECKPOINT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
ROOT = Path(__file__).parent.parent.parent
TREE = ["tree", "-w", "0.2", "--no-progress", "-q"]


class BrokenScorer(StubScorer):
    """Raises when it is to prepare its thread, or to score."""

    def __init__(self, error: BaseException | None = None, *, when: str = "score") -> None:
        super().__init__()
        self.error, self.when = error, when

    def prepare_thread(self) -> None:
        if self.error is not None and self.when == "prepare":
            raise self.error

    def score(self, windows):
        if self.error is not None:
            raise self.error
        return super().score(windows)


@pytest.fixture
def scorer() -> BrokenScorer:
    return BrokenScorer()


@pytest.fixture
def load_tagger(scorer):
    return stub_tagger(scorer)


@pytest.fixture
def archive(tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with 30 recordings in `tree/`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return make_archive(tmp_path / "tree", 30)


def limited(limit: str, *args: str, program: str = "tests.archive") -> subprocess.CompletedProcess[str]:
    command = f'ulimit {limit}; exec "$@"'
    return subprocess.run(
        ["bash", "-c", command, "-", sys.executable, "-m", program, *args], capture_output=True, text=True, timeout=100
    )


def assert_one_sentence(said: str, *words: str) -> None:
    lines = [line for line in said.splitlines() if not line.startswith("cedtag: failed: ") and "partial:" not in line]
    assert len(lines) == 1, said
    assert lines[0].startswith("cedtag: ")
    assert all(word in lines[0] for word in words), said


@pytest.mark.slow
@pytest.mark.parametrize("number", [5, 6, 7])
@pytest.mark.parametrize("output", ["all.csv", "out/"])
def test_too_few_descriptors_stop_the_run_and_cost_no_recording(archive, number, output):
    done = limited(f"-n {number}", *TREE, "-j", "4", "-o", output)
    if done.returncode != 3:
        assert done.returncode == 1
        assert_one_sentence(done.stderr, "too many files are open at once", "ulimit -n")
    assert "Too many open files" not in done.stderr
    assert limited("-n 100", *TREE, "-o", output).returncode == 3
    assert limited("-n 100", *TREE, "-o", "other.csv").returncode == 3
    if output == "all.csv":
        assert Path("all.csv").read_bytes() == Path("other.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [60_000, 250_000, 1_000_000])
def test_too_little_address_space_for_the_libraries_is_one_sentence(archive, kilobytes):
    command = ["tree/disk 0/rec 0000.wav", "-m", str(CHECKPOINT), "--no-progress"]
    done = limited(f"-v {kilobytes}", *command, program="cedtag")
    if done.returncode:
        assert done.returncode == 1
        assert_one_sentence(done.stderr, "memory")


@pytest.mark.parametrize("place", range(8))
def test_threads_that_cannot_be_started_end_the_run(archive, cedtag, monkeypatch, place):
    start, left = threading.Thread.start, iter(range(place))

    def limited(thread):
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", limited)
        done = cedtag(*TREE, "-o", "all.csv", "-j", "4", "--threads", "4")
    assert done.code == 1
    assert_one_sentence(done.stderr, "no process or thread can be started", "--jobs")
    assert cedtag(*TREE, "-o", "all.csv").code == 3


@pytest.mark.parametrize("when", ["prepare", "score"])
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
)
def test_memory_that_runs_out_while_scoring_ends_the_run(archive, cedtag, scorer, error, when):
    scorer.error, scorer.when = error, when
    done = cedtag(*TREE, "-o", "all.csv")
    assert done.code == 1
    assert_one_sentence(done.stderr, "not enough memory", "-b 1")
    scorer.error = None
    assert cedtag(*TREE, "-o", "all.csv").code == 3


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENOMEM])
def test_a_decoder_process_that_cannot_be_started_ends_the_run(archive, cedtag, scorer, monkeypatch, number):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    scorer.device = "cuda"
    monkeypatch.setattr(subprocess, "Popen", refuse)
    done = cedtag(*TREE, "-o", "all.csv")
    assert done.code == 1
    assert_one_sentence(done.stderr, "limit")


def test_openblas_that_cannot_start_its_threads_is_no_stop_by_hand(archive, cedtag, scorer, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have the tests ignore it
    monkeypatch.setattr("cedtag.cli.tag.run.tag", lambda *args: os.kill(os.getpid(), 2) or time.sleep(5))
    assert cedtag(*TREE).code == 130
    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = cedtag(*TREE)
    assert done.code == 1
    assert_one_sentence(done.stderr, "no process or thread can be started")


def test_a_bug_keeps_its_traceback(archive, cedtag, scorer):
    for error in (RuntimeError("a bug"), KeyError("x"), ImportError("no module named x")):
        assert shortage_of(error) is None
    scorer.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        cedtag(*TREE, "-o", "all.csv")


@pytest.mark.slow
def test_a_full_disk_leaves_no_part_of_a_database(archive):
    name = "tree/disk 0/rec 0000.wav"
    for blocks in (2, 4, 8, 16):
        shutil.rmtree("out", ignore_errors=True)
        done = limited(f"-f {blocks}", name, *TREE[1:], "-o", "out/all.sqlite")
        assert done.returncode == 1, blocks
        assert_one_sentence(done.stderr, "out/all.sqlite: cannot write results there")
        assert [path.name for path in Path("out").iterdir()] == ["all.sqlite.journal"]
    assert limited("-f 10000", name, *TREE[1:], "-o", "out/all.sqlite").returncode == 0


def shorten(journal: Path) -> None:
    os.truncate(journal, 0)


def replace(journal: Path) -> None:
    shutil.copy(journal, f"{journal}.copy")
    Path(f"{journal}.copy").replace(journal)


def remove_folder(journal: Path) -> None:
    journal.unlink()
    shutil.rmtree(journal.parent, ignore_errors=True)  # the run may be writing there


def move_folder(journal: Path) -> None:
    journal.parent.rename("elsewhere")


@pytest.mark.slow
@pytest.mark.parametrize("harm", [shorten, replace, Path.unlink, remove_folder, move_folder])
@pytest.mark.parametrize("output", ["out/all.csv", "out/all.sqlite", "out/"])
def test_a_journal_that_is_harmed_during_the_run_ends_it(archive, harm, output):
    journal = Path("out/.cedtag.journal" if output == "out/" else f"{output}.journal")
    command = [sys.executable, "-m", "tests.archive", *TREE, "-o", output]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {DELAY: "30"}) as process:
        while not (journal.exists() and b'{"end":' in journal.read_bytes()):
            assert process.poll() is None
            time.sleep(0.01)
        harm(journal)
        _, said = process.communicate(timeout=100)
    assert process.returncode == 1
    assert_one_sentence(said)
    if harm is shorten:
        assert b"\0" not in journal.read_bytes()
