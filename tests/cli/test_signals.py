"""Processes end as their signals and their streams ask, and the run goes on later."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.archive import DELAY, make_archive
from tests.programs import command_of

if TYPE_CHECKING:
    from collections.abc import Collection

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals and shells of POSIX"),
    pytest.mark.slow,
]
ROOT = Path(__file__).parent.parent.parent
CEDTAG = [sys.executable, "-m", "tests.archive"]
TREE = ["tree", "-w", "0.2", "--no-progress"]
ALL = [*TREE, "-o", "all.csv"]


@pytest.fixture
def archive(tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with 30 recordings in `tree/`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return make_archive(tmp_path / "tree", 30)


def start(
    *args: str, delay_ms: int = 20, ignored: Collection[signal.Signals] = (), out: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    program = "import runpy; runpy.run_module('tests.archive', run_name='__main__')"
    environment = os.environ | {DELAY: str(delay_ms)}
    command = command_of(program, *args, ignored=ignored)
    return subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, env=environment)


def wait_for(path: str, text: bytes) -> None:
    deadline = time.monotonic() + 60
    while not (Path(path).exists() and text in Path(path).read_bytes()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def shell(line: str, delay_ms: int = 0) -> subprocess.CompletedProcess[bytes]:
    line = line.replace("cedtag", " ".join(CEDTAG))
    return subprocess.run(["bash", "-c", line], capture_output=True, env=os.environ | {DELAY: str(delay_ms)})


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_first_signal_commits_what_is_finished_and_says_how_to_go_on(archive, number, code):
    shell(f"cedtag {' '.join(TREE)} -o undisturbed.csv")
    process = start(*ALL)
    wait_for("all.csv.journal", b'{"end":')
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == code
    assert b"run the same command again to go on" in said
    assert b"Traceback" not in said
    assert Path("all.csv.journal").read_bytes().endswith(b"}\n")
    assert not Path("all.csv").exists()

    assert shell(f"cedtag {' '.join(ALL)}").returncode == 3
    assert Path("all.csv").read_bytes() == Path("undisturbed.csv").read_bytes()


def test_a_recording_that_is_stopped_in_its_middle_is_named_with_what_is_scored_again(archive):
    samples = np.random.default_rng(0).integers(-3000, 3000, 16_000 * 60, dtype=np.int16)
    soundfile.write("long.wav", samples, 16_000)
    process = start("long.wav", "-w", "1", "-k", "0", "-t", "0", "-o", "long.csv", "--no-progress", delay_ms=100)
    time.sleep(0.5)
    wait_for("long.csv.journal", b'"journal"')
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert re.fullmatch(
        rb"cedtag: stopped: 0 recordings done; run the same command again to go on: "
        rb"long\.wav, of which \d+\.0 s were scored, then begins anew\n",
        said,
    )


def test_the_second_signal_stops_at_once(archive):
    process = start(*ALL, delay_ms=200)
    wait_for("all.csv.journal", b'"journal"')
    process.send_signal(signal.SIGSTOP)  # so that both are there when it goes on
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    process.communicate()
    assert process.returncode in (130, 143)
    assert shell(f"cedtag {' '.join(ALL)}").returncode == 3


def test_a_signal_that_nohup_ignores_is_ignored(archive):
    process = start(*ALL, ignored=[signal.SIGHUP])
    wait_for("all.csv.journal", b'{"end":')
    process.send_signal(signal.SIGHUP)
    process.communicate()
    assert process.returncode == 3


def test_a_reader_that_leaves_ends_the_run_quietly(archive):
    done = shell(f"cedtag -q {' '.join(TREE)} -j 1 2>said | head -1; echo ${{PIPESTATUS[0]}}", delay_ms=5)
    assert done.stdout.splitlines() == [b"file\tstart\tend\trank\tindex\tmid\tlabel\tscore", b"141"]
    assert all(line.startswith(b"cedtag: ") for line in Path("said").read_bytes().splitlines())


@pytest.mark.parametrize("format_name", ["table", "tsv"])
def test_a_run_that_does_not_finish_ends_as_it_does_in_every_format(archive, format_name):
    made = [*TREE, "-f", format_name, "-j", "1"]
    with Path("shown").open("wb") as out:
        stopped = start(*made, delay_ms=300, out=out)
    wait_for("shown", b"Speech")
    stopped.send_signal(signal.SIGINT)
    _, said = stopped.communicate()
    assert (stopped.returncode, b"Traceback" in said) == (130, False)
    for line, code in (
        (f"cedtag {' '.join(made)} --fail-fast", 3),
        (f"cedtag {' '.join(made)} | head -1; exit ${{PIPESTATUS[0]}}", 141),
        (f"cedtag -f {format_name} --where '('", 2),
        (f"cedtag {' '.join(made)} --progress --include-glob '[z-a]'", 2),
        (f"cedtag -f {format_name}", 2),
        (f"cedtag -f {format_name} - <&-", 3),
    ):
        done = shell(line, delay_ms=5)
        assert (done.returncode, b"Traceback" in done.stderr) == (code, False), (line, done.stderr)


def test_closed_standard_output_is_an_error_and_no_success_without_rows(archive):
    done = shell(f"cedtag {' '.join(TREE)} >&-")
    assert (done.returncode, done.stderr) == (1, b"cedtag: standard output is closed; name a file with --output\n")


def test_with_standard_error_closed_no_message_gets_into_the_results(archive):
    assert shell(f"cedtag {' '.join(ALL)}").returncode == 3
    assert shell(f"cedtag {' '.join(TREE)} -o silent.csv 2>&-").returncode == 3
    assert shell(f"cedtag {' '.join(TREE)} -f csv 2>&- >piped.csv").returncode == 3
    assert Path("silent.csv").read_bytes() == Path("all.csv").read_bytes() == Path("piped.csv").read_bytes()


@pytest.mark.parametrize("output", ["> /dev/full", "-o /dev/full", "-f csv --errors e.jsonl -o /dev/full"])
def test_a_full_device_is_one_sentence(archive, output):
    done = shell(f"cedtag -q {' '.join(TREE)} {output}")
    assert done.returncode == 1
    assert done.stderr.endswith(b"cannot write results there (No space left on device)\n")
    assert b"Traceback" not in done.stderr
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "rttm"])
@pytest.mark.parametrize("redirect", [">", ">>"])
@pytest.mark.parametrize("kilobytes", [1, 2, 3])
def test_rows_on_standard_output_are_whole_when_the_disk_is_full(archive, form, redirect, kilobytes):
    whole = shell(f"cedtag -q {' '.join(TREE)} -f {form} -k 0").stdout.splitlines(keepends=True)
    done = shell(f"ulimit -f {kilobytes}; cedtag -q {' '.join(TREE)} -f {form} -k 0 {redirect} rows")
    assert done.returncode == 1
    assert done.stderr.count(b"cannot write results there") == 1
    rows = Path("rows").read_bytes().splitlines(keepends=True)
    assert rows == whole[: len(rows)]
    assert 0 < len(rows) < len(whole)


@pytest.mark.parametrize("output", ["-o all.csv", "-o all.json", "-o out/ -f jsonl"])
def test_a_full_disk_leaves_a_journal_that_goes_on(archive, output):
    name = output.split()[1]
    assert shell(f"cedtag {' '.join(TREE)} {output.replace(name, 'whole-' + name)}").returncode == 3
    done = shell(f"ulimit -f 4; cedtag -q {' '.join(TREE)} {output}")
    assert done.returncode == 1
    assert done.stderr.endswith(b"cannot write results there (File too large)\n")
    assert shell(f"cedtag {' '.join(TREE)} {output}").returncode == 3
    assert files(Path(name)) == files(Path(f"whole-{name}"))


def files(place: Path) -> list[tuple[str, bytes]]:
    if place.is_file():
        return [("", place.read_bytes())]
    paths = sorted(path for path in place.rglob("*") if path.is_file() and not path.name.endswith(".journal"))
    return [(str(path.relative_to(place)), path.read_bytes()) for path in paths]


def test_an_input_tree_that_is_read_only_is_only_read(archive):
    before = {path: path.lstat() for path in archive.rglob("*")}
    shell("chmod -R a-w tree")
    done = shell(f"cedtag {' '.join(ALL)}")
    shell("chmod -R u+w tree")
    assert done.returncode == 3
    assert {path: path.lstat().st_mtime_ns for path in archive.rglob("*")} == {
        path: status.st_mtime_ns for path, status in before.items()
    }
