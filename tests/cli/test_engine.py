"""Options of the engine that is not this process: what is refused before anything is started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cedtag.records import FileFailed, Source
from cedtag.run.on_ray.actor import told_from_here
from tests.micro import CHECKPOINT


def test_standard_input_is_for_this_machine(cedtag):
    done = cedtag("-", "--engine", "ray")
    assert done.code == 2
    assert "--engine ray reads files, which all its machines see, and no -" in done.stderr


@pytest.mark.parametrize("engine", ["dask", "ray://", "ray://host/path", "Ray"])
def test_unknown_engines_are_refused(cedtag, sounds, engine):
    done = cedtag("sounds", "--engine", engine)
    assert done.code == 2
    assert f"--engine {engine}: expected local, ray or ray://HOST:PORT" in done.stderr


@pytest.mark.parametrize("option", ["--actors", "--actor-cpus", "--actor-gpus"])
def test_options_of_actors_need_the_engine(cedtag, sounds, option):
    done = cedtag("sounds", option, "1")
    assert done.code == 2
    assert done.stderr == f"cedtag: {option} goes with --engine ray; leave it out, or name the engine\n"


def test_without_ray_the_engine_is_one_sentence(sounds):
    command = [sys.executable, "-m", "tests.blocked", "ray", "sounds", "--engine", "ray", "-m", CHECKPOINT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("cedtag: --engine ray needs ray, which is not installed: ")
    assert done.stderr.count("\n") == 1


def test_a_file_that_another_machine_cannot_see_names_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "node7")
    source = Source(str(tmp_path / "a.wav"), "a.wav", "a.wav")
    failed = FileFailed(source, "open", "a.wav: cannot be opened (No such file or directory)")
    assert told_from_here(failed).error == f"{failed.error} on the machine node7"
    (tmp_path / "a.wav").touch()
    assert told_from_here(failed) is failed


def test_an_evaluation_of_results_has_nothing_to_do_for_actors(cedtag, tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").touch()
    (tmp_path / "data.csv").write_text("file,labels\na.wav,Rain\n")
    (tmp_path / "rows.csv").write_text(
        "file,start,end,rank,index,mid,label,score\na.wav,0.000,1.000,1,0,,Rain,0.9000\n"
    )
    done = cedtag("evaluate", "data.csv", "--scores", "rows.csv", "--engine", "ray")
    assert done.code == 2
    assert done.stderr == (
        "cedtag: --engine ray scores recordings with a model, and --scores are there already; leave one out\n"
    )


@pytest.mark.parametrize("command", [["evaluate", "sounds"], ["distill", "store", "sounds", "-o", "store"]])
def test_other_commands_without_ray_are_one_sentence_before_anything_is_made(command, sounds):
    pytest.importorskip("sklearn")
    line = [sys.executable, "-m", "tests.blocked", "ray", *command, "--engine", "ray", "-m", CHECKPOINT]
    (sounds / "a.wav").unlink()
    (sounds / "c.ogg").rename(sounds / "b/c.ogg")
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("cedtag: --engine ray needs ray, which is not installed: ")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in sounds.parent.iterdir()] == ["sounds"]
