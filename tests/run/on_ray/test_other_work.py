"""Evaluations and stores of views on a Ray cluster have the bytes of those that one process makes."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cedtag as package
from cedtag import (
    Cluster,
    DistillStoreCallbacks,
    DistillStoreSettings,
    FunctionTeacher,
    TeacherChoice,
    ViewSettings,
    load_teachers,
    store_views,
)
from cedtag.distill import data as distill_data
from cedtag.errors import CedtagError
from tests.micro import CHECKPOINT
from tests.run.on_ray.test_on_ray import kill_an_actor

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

ON_RAY = ["--engine", "ray", "--actors", "2", "--actor-cpus", "1"]
STORE = ["distill", "store", "data", "-m", str(CHECKPOINT), "--epochs", "2", "-k", "5"]


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two processors, to which this process is connected."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(package.__file__).parent.parent))  # of the actors, too
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


@pytest.fixture
def data(cluster, tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with `data/`: two classes of short recordings, a longer one, a damaged one and a text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(distill_data, "BLOCK_CLIPS", 4)
    folder = tmp_path / "data"
    rng = np.random.default_rng(2)
    for number in range(12):
        place = folder / ("Dog", "Rain")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{number:02}.wav", 0.1 * rng.standard_normal(8_000 + 100 * number), 16_000)
    soundfile.write(folder / "Dog/long.flac", 0.1 * rng.standard_normal(640_000), 16_000)
    (folder / "Rain/cut.wav").write_bytes((folder / "Rain/01.wav").read_bytes()[:9000])
    (folder / "Rain/text.mp3").write_text("no audio")
    return folder


def content(store: str) -> dict[str, bytes]:
    files = [path for path in Path(store).rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def settings(engine: str) -> DistillStoreSettings:
    cluster = Cluster() if engine == "local" else Cluster("ray", actors=2, actor_cpus=1)
    return DistillStoreSettings(views=ViewSettings(epochs=2, top_k=2, chunk_s=1.0), cluster=cluster)


def test_a_store_of_views_has_the_bytes_of_one_process_and_goes_on(cedtag, data):
    here = cedtag(*STORE, "-o", "here", "-j", 1)
    there = cedtag(*STORE, "-o", "there", *ON_RAY)
    assert (here.code, there.code) == (3, 3), there.stderr
    assert there.stderr.splitlines()[:-1] == here.stderr.splitlines()[:-1]
    assert len(content("here")) > 3
    assert content("there") == content("here")
    for part in sorted(Path("there/views").iterdir())[1::2]:
        part.unlink()
    assert cedtag(*STORE, "-o", "there", *ON_RAY).code == 3
    assert content("there") == content("here")


def test_a_killed_actor_costs_a_store_nothing(data):
    teachers = load_teachers(TeacherChoice((str(CHECKPOINT),)), settings("local").compute)
    store_views(data, teachers, "here", settings("local"))
    once = iter([kill_an_actor])
    callbacks = DistillStoreCallbacks(on_recording=lambda read: next(once, lambda: None)())
    store_views(data, teachers, "there", settings("ray"), callbacks)
    assert content("there") == content("here")


def test_a_function_is_sent_to_the_actors_or_refused_with_a_sentence(data):
    half = np.float32(0.5)
    for engine in ("local", "ray"):
        teacher = FunctionTeacher(lambda waveform: [half, abs(waveform).max()], ("half", "loudest"))
        store_views(data, [teacher], engine, settings(engine))
    assert content("ray") == content("local")
    lock = threading.Lock()
    teacher = FunctionTeacher(lambda waveform: lock, ("half", "loudest"), "mine")
    with pytest.raises(CedtagError, match="`engine` ray: mine: cannot be sent to another process"):
        store_views(data, [teacher], "locked", settings("ray"))


def test_a_report_has_the_bytes_of_one_process(cedtag, data):
    pytest.importorskip("sklearn")
    evaluate = ["evaluate", "data", "-m", CHECKPOINT, "-w", 1, "--bootstrap", 10]
    here = cedtag(*evaluate, "-f", "json")
    there = cedtag(*evaluate, "-f", "json", *ON_RAY)
    assert (here.code, there.code) == (3, 3), there.stderr
    assert there.stdout == here.stdout
    assert there.stderr == here.stderr
    first = cedtag(*evaluate, "--fail-fast")
    assert "--keep-going leaves it out" in first.stderr
    assert cedtag(*evaluate, "--fail-fast", *ON_RAY) == first
