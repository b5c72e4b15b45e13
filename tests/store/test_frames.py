"""Scores of columns of tokens in a store: the events of `--frames`, and nothing lost on the way."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("pyarrow")

from pyarrow import parquet

from cedtag.cli import run
from cedtag.run.outputs.store import StoreOutput
from cedtag.store import open_store
from cedtag.store.frames import StoredFrames
from tests.archive import make_archive, stub_tagger
from tests.micro import CHECKPOINT
from tests.scored import AudioSetScorer

WAYS = {"mix": ["-w", "0.5"], "each": ["-w", "0.4", "--channel", "each"]}
STORE = ["-q", "--frames", "--store"]


@dataclass
class FramesScorer(AudioSetScorer):
    """Columns of 10 ms, in which sounds come and go."""

    shortest_window = 160

    def score_columns(self, windows):
        return self.score(windows), [columns_of(window.samples) for window in windows]

    def score_whole(self, windows):
        return *self.score_embedded(windows), self.score_columns(windows)[1]


def columns_of(samples):
    rng = np.random.default_rng(np.frombuffer(samples.tobytes()[:64], np.uint8))
    columns = np.repeat(rng.random((1 + len(samples) // 1600, 527), np.float32), 10, axis=0) ** 12
    return columns[: len(samples) // 160].astype(np.float32)


def load():
    return stub_tagger(FramesScorer())


@pytest.fixture
def load_tagger():
    return load()


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A folder with an archive, of which some recordings fail or are partial, and a store for each way to score it."""
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_archive(Path("archive"), 12)
        stereo = 0.1 * np.random.default_rng(1).standard_normal((9600, 2))
        soundfile.write("archive/stereo.wav", stereo, 16_000)
        patch.setenv("CEDTAG_MODEL", str(CHECKPOINT))
        for name, how in WAYS.items():
            assert run(["tag", "archive", *how, *STORE, name], load()) == 3
        assert run(["tag", "archive", *WAYS["mix"], "-q", "--store", "plain"], load()) == 3
    return folder


@pytest.fixture
def here(stores, monkeypatch):
    monkeypatch.chdir(stores)
    monkeypatch.setenv("CEDTAG_MODEL", str(CHECKPOINT))
    return stores


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--onset", "0.1"],
        ["--onset", "0.3", "--onset", "Dog=0.15", "--offset", "0.2", "-f", "jsonl"],
        ["--labels", "Speech", "--labels", "Music", "--onset", "0.2", "-f", "csv"],
        ["--labels", "Animal", "--group", "--min-duration-on", "0.15", "--min-duration-off", "0.05", "-f", "json"],
        ["--where", "Siren > 0.05 and not Music > 0.3", "--onset", "0.2", "--pad-offset", "0.1", "-f", "tsv"],
        ["--exclude", "Dog", "-k", "3", "--most-specific", "-t", "0.05", "--onset", "0.2", "-f", "csv"],
    ],
)
def test_a_store_gives_the_bytes_of_the_events_of_the_recordings(cedtag, here, way, options):
    heard = cedtag("events", "archive", "--frames", *WAYS[way], *options)
    asked = cedtag("query", way, "--events", "--frames", *options)
    assert (asked.code, asked.stdout) == (heard.code, heard.stdout), heard.stderr + asked.stderr
    assert heard.stdout.count(b"\n") > 2 or "json" in options


def test_rows_beside_a_store_are_those_without_one(cedtag, here, tmp_path):
    for more in (["--events", "--onset", "0.2"], ["-t", "0.3"]):
        asked = cedtag("archive", *WAYS["mix"], *STORE, tmp_path / "s", *more, "-o", tmp_path / "s.csv", "--overwrite")
        frames = ["--frames"] if "--events" in more else []
        heard = cedtag("archive", *WAYS["mix"], *frames, *more, "-o", tmp_path / "h.csv", "--no-resume", "--overwrite")
        assert asked.code == heard.code == 3, asked.stderr + heard.stderr
        assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "h.csv").read_bytes()


def test_the_events_command_takes_a_store(cedtag, here):
    asked = cedtag("events", "mix", "--frames", "--onset", "0.3", "-f", "csv")
    assert asked.stdout == cedtag("query", "mix", "--events", "--frames", "--onset", "0.3", "-f", "csv").stdout
    assert asked.stdout != cedtag("events", "mix", "--onset", "0.3", "-f", "csv").stdout


def test_windows_are_what_they_are_in_a_store_without_frames(cedtag, here):
    first, second = (list(open_store(Path(name)).windows(embeddings=True)) for name in ("mix", "plain"))
    assert all(np.array_equal(a.embeddings, b.embeddings) for a, b in zip(first, second, strict=True))
    for options in (["-t", "0.2", "-f", "csv"], ["--events", "-f", "csv"]):
        assert cedtag("query", "mix", *options).stdout == cedtag("query", "plain", *options).stdout


def frames_in(path):
    """The entries of each recording's windows."""
    found = {}
    for one in open_store(Path(path)).results((), frames=True):
        for frames in getattr(one, "frames", None) or ():
            found.setdefault(one.source.name, []).append((frames.count, frames.entries.tolist()))
    return found


@pytest.mark.parametrize("after", [2, 16])
@pytest.mark.parametrize("torn", ["frames", "rows", "log", "changed"])
def test_a_run_that_was_killed_goes_on_to_the_same_store(cedtag, here, tmp_path, monkeypatch, after, torn):
    left, write, count = tmp_path / "left", StoreOutput.write, iter(range(1000))

    def killed(self, outcome):
        failed = write(self, outcome)
        if next(count) == after:
            for pieces in self._writer._part._pieces.values():
                pieces._flush()
            shutil.copytree(self.path, left)
        return failed

    with monkeypatch.context() as patch:
        patch.setattr(StoreOutput, "write", killed)
        cedtag("archive", *WAYS["mix"], *STORE, tmp_path / "whole")
    (file,) = left.glob(f"open.*.{'frames' if torn == 'changed' else torn}")
    data = bytearray(file.read_bytes())
    if torn == "changed" and data:
        data[-1] ^= 1
    file.write_bytes(data if torn == "changed" else data[:-5])
    again = cedtag("archive", *WAYS["mix"], *STORE, left)
    assert again.code == 3, again.stderr
    assert frames_in(left) == frames_in("mix") == frames_in(tmp_path / "whole")
    assert cedtag("store", "verify", left).code == 0


def test_upkeep_keeps_the_frames(cedtag, here, tmp_path):
    before = frames_in("mix")
    for shard in ("1/2", "2/2"):
        cedtag("archive", *WAYS["mix"], *STORE, tmp_path / shard[0], "--shard", shard)
    assert cedtag("merge", tmp_path / "1", tmp_path / "2", "-o", tmp_path / "both").code == 0
    assert frames_in(tmp_path / "both") == before
    assert cedtag("store", "compact", tmp_path / "both").code == 0
    assert frames_in(tmp_path / "both") == before
    assert cedtag("store", "forget", tmp_path / "both", "archive/disk 1", "--yes").code == 0
    assert frames_in(tmp_path / "both") == {name: own for name, own in before.items() if "/disk 1/" not in name}
    assert cedtag("store", "verify", tmp_path / "both").code == 0
    assert "scores from 0.05" in cedtag("store", "info", tmp_path / "both").stdout.decode()


def test_other_programs_read_the_frames(here):
    table = parquet.read_table("mix/windows", columns=["frame_count", "frame_class", "frame", "frame_score"])
    row = table.slice(3, 1).to_pylist()[0]
    assert len(row["frame_class"]) == len(row["frame"]) == len(row["frame_score"]) > 20
    assert min(row["frame_score"]) >= 500
    assert max(row["frame"]) < row["frame_count"]


def test_only_scores_below_the_least_are_lost():
    scores = np.random.default_rng(0).random((62, 527), np.float32) ** 4
    scores[:3, :3] = [[0.05, 0.04995, 0.049949], [1, 0, 0.5], [0.05005, 0.0501, 0.12345]]
    again = StoredFrames.of(scores).scores(527).astype(np.float64).round(4)
    rounded = scores.astype(np.float64).round(4)
    assert (again == np.where(rounded >= 0.05, rounded, 0)).all()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["query", "plain", "--events", "--frames"], "plain: holds no --frames"),
        (["events", "plain", "--frames"], "plain: holds no --frames"),
        (["query", "mix", "--frames"], "--frames goes with --events"),
        (["query", "mix", "--events", "--frames", "--onset", "0.08"], "asks for 0.04"),
        (["query", "mix", "--events", "--frames", "--where", "Dog < 0.01"], "asks for 0.01"),
        (["query", "mix", "--events", "--frames", "-t", "0.01"], "asks for 0.01"),
        (["tag", "archive", "-w", "0.5", "--hop", "0.2", *STORE, "new"], "windows that do not overlap"),
        (["tag", "archive", "-w", "0.5", *STORE, "new", "--events", "--onset", "0.05", "-o", "x.csv"], "0.025"),
        (["tag", "archive", "-w", "0.5", "-q", "--store", "mix"], "--frames was from 0.05 and is"),
        (["tag", "archive", "-w", "0.5", *STORE, "plain"], "--frames was off and is now from 0.05"),
    ],
)
def test_what_a_store_cannot_answer_or_take_is_one_sentence(cedtag, here, command, said):
    done = cedtag(*command)
    assert done.code in (1, 2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not Path("new").exists()
