"""A run on a Ray cluster gives the bytes of a run in this process, whatever dies meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

import cedtag as package
from cedtag.cli import run
from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NUM_SHORT = 40


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two machines of one processor each, as processes of this one; tests connect to them by RAY_ADDRESS."""
    pytest.importorskip("ray")
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "RAY_USAGE_STATS_ENABLED")}
    root = str(Path(package.__file__).parent.parent)
    os.environ.update(PYTHONPATH=root, RAY_USAGE_STATS_ENABLED="0")  # of the actors too
    from ray.cluster_utils import Cluster

    machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    machines.second = machines.add_node(num_cpus=1)
    machines.wait_for_nodes()
    yield machines
    machines.shutdown()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Short recordings, one of many windows, one that is damaged and one that is none."""
    folder = tmp_path_factory.mktemp("ray") / "archive"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(NUM_SHORT):
        soundfile.write(folder / f"{number:02}.wav", 0.1 * rng.standard_normal(16_000), 16_000)
    soundfile.write(folder / "20long.flac", 0.1 * rng.standard_normal(16_000 * 600), 16_000)
    (folder / "03cut.wav").write_bytes((folder / "03.wav").read_bytes()[:9000])
    (folder / "31text.mp3").write_text("no audio")
    return folder


@pytest.fixture(scope="module")
def expected(archive) -> bytes:
    """The rows of a run in one process."""
    out = archive.parent / "local.jsonl"
    assert run(arguments(archive, out), None) == 3
    return out.read_bytes()


def arguments(archive: Path, out: Path, *more: str) -> list[str]:
    return ["tag", str(archive), "-m", str(CHECKPOINT), "-w", "1", "-o", str(out), *more]


def started(cluster, archive: Path, out: Path) -> subprocess.Popen:
    """The same as a process of its own, on the cluster."""
    environment = os.environ | {"RAY_ADDRESS": cluster.address}
    command = [sys.executable, "-m", "cedtag", *arguments(archive, out, "--engine", "ray")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_results(out: Path, process: subprocess.Popen, num_bytes: int = 3000) -> None:
    journal = out.with_name(f"{out.name}.journal")
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.stat().st_size > num_bytes:
            return
        time.sleep(0.02)


def kill_an_actor() -> None:
    """Kill one of the processes that score, in a cluster that this process started: others may be at work beside it."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            process = int(command.parent.name)
            if command.read_bytes().startswith(b"ray::Actor") and os.getpid() in ancestors(process):
                os.kill(process, signal.SIGKILL)
                return


def ancestors(process: int) -> Iterator[int]:
    while process:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
        process = int(status.rpartition(")")[2].split()[1])
        yield process


def test_the_bytes_are_those_of_one_process_and_nothing_else_is_printed(cluster, archive, expected, tmp_path):
    process = started(cluster, archive, tmp_path / "a.jsonl")
    stdout, stderr = process.communicate(timeout=200)
    assert (tmp_path / "a.jsonl").read_bytes() == expected
    assert process.returncode == 3
    assert stdout == ""
    assert all(line.startswith("cedtag: ") for line in stderr.splitlines()), stderr


def test_actors_that_are_killed_cost_nothing(cluster, archive, expected, tmp_path):
    out = tmp_path / "a.jsonl"
    process = started(cluster, archive, out)
    for size in (2000, 9000):
        wait_for_results(out, process, size)
        kill_an_actor()
    stdout, _ = process.communicate(timeout=200)
    assert out.read_bytes() == expected
    assert stdout == ""


def test_a_driver_that_is_killed_goes_on_where_it_was_also_without_a_cluster(cluster, archive, expected, tmp_path):
    out = tmp_path / "a.jsonl"
    process = started(cluster, archive, out)
    wait_for_results(out, process)
    process.kill()
    process.communicate()
    assert run(arguments(archive, out), None) == 3
    assert out.read_bytes() == expected


def test_another_version_of_cedtag_is_refused_with_both(cluster, archive, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(package, "__version__", "9.9.9")
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    code = run(arguments(archive, tmp_path / "a.csv", "--engine", "ray"), None)
    said = capfd.readouterr().err
    assert code == 1
    assert "a machine of the cluster has cedtag 0.1.0, and this one 9.9.9; install the same version everywhere" in said


def test_actors_that_fit_nowhere_are_said(cluster, archive, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    code = run(arguments(archive, tmp_path / "a.csv", "--engine", "ray", "--actor-cpus", "64"), None)
    assert code == 1
    assert "no machine of the cluster has 64 CPUs for an actor; see --actor-cpus" in capfd.readouterr().err


def test_a_machine_that_is_removed_costs_nothing(cluster, archive, expected, tmp_path):
    out = tmp_path / "a.jsonl"
    process = started(cluster, archive, out)
    wait_for_results(out, process)
    cluster.remove_node(cluster.second)
    process.communicate(timeout=250)
    assert out.read_bytes() == expected
