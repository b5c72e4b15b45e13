"""`cedtag tag --store`: all scores are kept from the same pass, and rows are made of them."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from cedtag.audio.sndfile import SoundFileDecoder
from cedtag.errors import AudioError
from cedtag.records import FileEnd
from cedtag.store import open_store
from tests.archive import StubScorer, make_archive, stub_tagger, write_recording

TINY = ["-w", "0.2", "--no-progress", "-q"]
STORE = [*TINY, "--store", "store"]


@pytest.fixture
def scorer() -> StubScorer:
    return StubScorer()


@pytest.fixture
def load_tagger(scorer):
    return stub_tagger(scorer)


@pytest.fixture
def archive(tmp_path, monkeypatch, scorer) -> Path:
    """A folder to stand in, with 24 recordings in `tree/`."""
    monkeypatch.chdir(tmp_path)
    return make_archive(tmp_path / "tree", 24)


def contents(store: str | Path = "store") -> list[tuple]:
    """Everything that a store says of each recording, but ids."""
    found = []
    for batch in open_store(Path(store)).results(embeddings=open_store(Path(store)).embedding_size is not None):
        if hasattr(batch, "scores"):
            vectors = [] if batch.embeddings is None else batch.embeddings.tolist()
            places = (batch.index.tolist(), batch.start.tolist(), batch.stop.tolist(), batch.channel.tolist())
            found.append((batch.source, *places, batch.scores.tolist(), vectors))
        else:
            found.append((batch,))
    return found


def made(*folders: str) -> dict[str, bytes]:
    """The files in folders, without journals."""
    files = (path for folder in folders for path in Path(folder).rglob("*") if path.is_file())
    return {path.name: path.read_bytes() for path in files if not path.name.endswith(".journal")}


def test_alone_it_writes_no_rows_and_keeps_every_score(cedtag, archive, scorer):
    done = cedtag("tree", *STORE[:-1], "store", "-v")
    assert (done.code, done.stdout) == (3, b"")
    assert "other: 19 recordings done, 2 partial, 3 failed" in cedtag("tree", *TINY[:-1], "--store", "other").stderr
    shown = cedtag("tree", *TINY, "-f", "jsonl", "-k", "0", "-t", "0").rows
    windows = [(one.source.name, scores) for one in open_store(Path("store")).windows() for scores in one.scores]
    assert windows
    assert [name for name, _ in windows] == [row["file"] for row in shown]
    for (_, scores), row in zip(windows, shown, strict=True):
        expected = {tag["index"]: tag["score"] for tag in row["tags"]}
        assert {place: one / 10_000 for place, one in enumerate(scores.tolist())} == expected


@pytest.mark.parametrize(
    "question",
    [
        ["-o", "{}/t.csv"],
        ["-o", "{}/t.json", "-k", "2", "-t", "0.4", "--errors", "{}/e.jsonl"],
        ["-o", "{}/t.jsonl", "-o", "{}/t.tsv", "--layout", "wide"],
        ["-o", "{}/t.csv", "--layout", "file"],
        ["-o", "{}/t.csv", "--events", "--onset", "0.6", "--offset", "0.3", "--hop", "0.05"],
        ["-o", "{}/t.csv", "--channel", "each"],
        ["-o", "{}/", "-f", "csv", "-f", "jsonl", "--errors", "{}/e.jsonl"],
        ["-o", "{}/", "-f", "csv", "--events"],
        ["-o", "{}/t.json", "--start-time", "auto", "--timezone", "UTC"],
    ],
)
def test_rows_beside_a_store_are_those_of_a_run_without(cedtag, archive, question):
    beside, alone = ([one.format(folder) for one in question] for folder in ("beside", "alone"))
    Path("beside").mkdir()
    Path("alone").mkdir()
    assert cedtag("tree", *STORE, *beside).code == cedtag("tree", *TINY, *alone).code == 3
    assert made("beside") == made("alone") != {}


def test_rows_go_to_standard_output_when_it_is_named(cedtag, archive):
    alone = cedtag("tree", *TINY, "-f", "csv").stdout
    assert cedtag("tree", *STORE, "-o", "-", "-f", "csv").stdout == alone


def test_another_question_scores_nothing_again_and_its_own_files_are_made_anew(cedtag, archive, scorer):
    cedtag("tree", *STORE, "-o", "t.csv")
    scorer.names.clear()
    assert cedtag("tree", *STORE, "-o", "t.csv", "-t", "0.02", "-k", "0").code == 3
    assert scorer.names == []
    assert Path("t.csv").read_bytes() == cedtag("tree", *TINY, "-f", "csv", "-t", "0.02", "-k", "0").stdout
    scorer.names.clear()
    Path("t.csv").write_text("mine\n")
    refused = cedtag("tree", *STORE, "-o", "t.csv")
    assert refused.code == 1
    assert "t.csv: was changed after it was made" in refused.stderr
    Path("other.csv").write_text("mine\n")
    assert "other.csv: this file exists" in cedtag("tree", *STORE, "-o", "other.csv").stderr
    assert cedtag("tree", *STORE, "-o", "other.csv", "--overwrite").code == 3
    assert scorer.names == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-w", "0.3"], "--window was 0.2 and is now 0.3"),
        (["--no-embeddings"], "--embeddings was of length 3 and is now off"),
        (["--channel", "1"], "--channel was None and is now 1"),
        (["-m", "another"], "--model was"),
    ],
)
def test_a_store_of_other_settings_is_refused_by_the_name_of_the_option(cedtag, archive, more, said):
    cedtag("tree", *STORE)
    before = contents()
    refused = cedtag("tree", *STORE, *more)
    assert refused.code == 1
    assert said in refused.stderr
    assert contents() == before


def test_another_backend_goes_on_and_is_told(cedtag, archive, scorer):
    cedtag("tree/disk 0", *STORE)
    scorer.settings = {"backend": "other", "device": "cpu"}
    said = cedtag("tree", *STORE[:-3], "--store", "store").stderr
    assert "store: was written by stub" in said
    assert "and is now by other" in said
    assert [made["backend"] for made in open_store(Path("store")).written_by] == ["stub", "other"]
    assert "was written by" not in cedtag("tree", *STORE[:-3], "--store", "store").stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--no-resume"], "a store is always continued"),
        (["-f", "csv"], "--format are those of rows"),
        (["--events", "--refine", "0.16"], "--refine scores"),
    ],
)
def test_options_that_a_store_cannot_have_are_a_sentence(cedtag, archive, more, said):
    refused = cedtag("tree", *STORE, *more)
    assert refused.code in (1, 2)
    assert said in refused.stderr
    assert not Path("store").exists()


def test_a_dry_run_shows_what_a_store_holds_already(cedtag, archive):
    cedtag("tree/disk 0", *STORE)
    shown = dict(line.split("  ", 1) for line in cedtag("tree", *STORE, "--dry-run").lines if "  " in line)
    assert shown["to tag"].strip().startswith("1")
    assert shown["output"].strip() == "store"
    assert "done earlier" in shown


def test_changed_and_new_recordings_are_stored_and_the_rest_stays(cedtag, archive, scorer):
    cedtag("tree", *STORE)
    (changed,) = archive.glob("*/rec 0000.wav")
    write_recording(changed, np.random.default_rng(5))
    write_recording(archive / "disk 0" / "a new one.wav", np.random.default_rng(6))
    scorer.names.clear()
    cedtag("tree", *STORE)
    assert sorted(set(scorer.names)) == ["tree/disk 0/a new one.wav", "tree/disk 0/rec 0000.wav"]
    cedtag("tree", *TINY, "--store", "anew")
    assert contents() == contents("anew")


def test_what_failed_is_tried_again_when_it_is_told_to(cedtag, archive, monkeypatch):
    def crash(*_):
        raise AudioError("its decoder crashed (SIGKILL)", stage="crash")

    with monkeypatch.context() as broken:
        broken.setattr(SoundFileDecoder, "__init__", crash)
        cedtag("tree", *STORE)
    cedtag("tree", *STORE)
    assert all(not hasattr(one[0], "num_windows") for one in contents())
    cedtag("tree", *STORE, "--retry-failed")
    cedtag("tree", *TINY, "--store", "anew")
    assert contents() == contents("anew")


def test_rows_of_a_recording_that_changed_and_cannot_be_read_are_stale(cedtag, archive, monkeypatch):
    def out_of_order(*_):
        raise AudioError("its decoder crashed (SIGKILL)", stage="crash")

    cedtag("tree", *STORE)
    before = contents()
    (changed,) = archive.glob("*/rec 0000.wav")
    os.utime(changed, (1, 1))
    with monkeypatch.context() as broken:
        broken.setattr(SoundFileDecoder, "__init__", out_of_order)
        assert "its earlier results are kept, and are stale" in cedtag("tree", *STORE[:-3], "--store", "store").stderr
    (stale,) = [one[0] for one in contents() if isinstance(one[0], FileEnd) and one[0].is_stale]
    assert stale.source.name == "tree/disk 0/rec 0000.wav"
    assert [one[1:] for one in contents()] == [one[1:] for one in before]
    cedtag("tree", *STORE)
    assert [one[1:] for one in contents()] == [one[1:] for one in before]
    assert not any(isinstance(one[0], FileEnd) and one[0].is_stale for one in contents())


def test_shards_merge_by_copying_their_parts(cedtag, archive, scorer):
    cedtag("tree", *TINY, "--store", "whole")
    for shard in ("1", "2", "3"):
        cedtag("tree", *TINY, "--store", f"shard{shard}", "--shard", f"{shard}/3")
    for shard in ("shard2", "shard3"):
        shutil.copytree(shard, "shard1", dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "store.json"))
    assert contents("shard1") == contents("whole")
    scorer.names.clear()
    assert cedtag("tree", *TINY, "--store", "shard1", "-o", "t.csv").code == 3
    assert scorer.names == []
    assert Path("t.csv").read_bytes() == cedtag("tree", *TINY, "-f", "csv").stdout


def start(*args: str, delay_ms: int = 3, limit: int | None = None) -> subprocess.Popen[bytes]:
    """A run in a process of its own, whose files may have no more than `limit` bytes."""

    def prepare() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "TEST_DELAY_MS": str(delay_ms)}
    command = [sys.executable, "-m", "tests.archive", "tag", "tree", *args]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, preexec_fn=prepare)


@pytest.mark.slow
def test_killed_at_any_moment_a_run_goes_on_to_the_same_contents(cedtag, archive, monkeypatch):
    cedtag("tree", *TINY, "--store", "undisturbed")
    chance = random.Random(3)
    for _ in range(4):
        run = start(*STORE)
        time.sleep(1.3 + chance.random())
        run.kill()
        run.communicate()
    last = start(*STORE)
    last.communicate(timeout=60)
    assert last.returncode == 3
    assert contents() == contents("undisturbed")


def test_whatever_a_kill_leaves_a_run_goes_on_to_the_same_contents(cedtag, archive, monkeypatch):
    """Before every call that writes, syncs, renames or removes, what is there is copied, as a kill would leave it."""
    monkeypatch.setattr("cedtag.store.write.WINDOWS_PER_PART", 7)
    steps = count()

    def watched(call):
        def copied_before(*args, **kwargs):
            step = next(steps)
            if step % 8 == 0 and Path("undisturbed").exists():
                shutil.copytree("undisturbed", f"left/{step:04d}", ignore_dangling_symlinks=True)
            return call(*args, **kwargs)

        return copied_before

    with monkeypatch.context() as watching:
        for name in ("write", "fsync", "ftruncate"):
            watching.setattr(os, name, watched(getattr(os, name)))
        for name in ("replace", "unlink"):
            watching.setattr(Path, name, watched(getattr(Path, name)))
        cedtag("tree", *TINY, "--store", "undisturbed")
    left = sorted(Path("left").iterdir())
    assert len(left) > 15
    for store in left:
        assert cedtag("tree", *TINY, "--store", store).code == 3
        assert contents(store) == contents("undisturbed"), store
        assert not list(store.glob("open.*"))


def test_a_second_run_on_one_store_is_refused(cedtag, archive):
    run = start(*STORE, delay_ms=100)
    while not Path("store/.cedtag.journal").exists():
        time.sleep(0.01)
    refused = cedtag("tree", *STORE)
    run.kill()
    run.communicate()
    assert refused.code == 1
    assert "another command is writing this store" in refused.stderr
    assert cedtag("tree", *STORE).code == 3


def test_a_disk_that_fills_is_a_sentence_and_loses_nothing(cedtag, archive):
    run = start(*STORE, limit=4096)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert b"Traceback" not in said
    assert b"cannot write results there (File too large)" in said
    assert cedtag("tree", *STORE).code == 3
    cedtag("tree", *TINY, "--store", "undisturbed")
    assert contents() == contents("undisturbed")


def test_an_interruption_leaves_a_store_that_can_be_read(cedtag, archive):
    run = start(*STORE, delay_ms=2000)  # it ends long before it is done
    while not list(Path("store").glob("open.*.log")) or not next(Path("store").glob("open.*.log")).stat().st_size:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    store = open_store(Path("store"))
    assert not store.is_unfinished
    assert 0 < len(store) < 24
