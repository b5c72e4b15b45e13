"""What a run shows of its progress, on a terminal and elsewhere."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import soundfile

from cedtag.cli.shared import run_progress
from cedtag.cli.shared.progress import write_beside_bars
from cedtag.cli.shared.run_progress import RunProgress
from cedtag.inputs.extent import Extent
from cedtag.records import AlreadyDone, FileEnd, ScoredWindow, Source
from cedtag.run.summary import Summary
from tests.archive import DELAY
from tests.terminal import ARCHIVE, on_terminal

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
ROOT = Path(__file__).parent.parent.parent
SLOW = {"PYTHONPATH": str(ROOT), DELAY: "60"}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with a recording of a minute and three of six seconds in `three/`."""
    monkeypatch.chdir(tmp_path)
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000 * 60)
    soundfile.write("long.wav", noise, 16_000)
    (tmp_path / "three").mkdir()
    for name in "abc":
        soundfile.write(f"three/{name}.wav", noise[: 16_000 * 6], 16_000)
    return tmp_path


def write_aac(path: Path, samples: NDArray[np.float32]) -> None:
    with av.open(path, "w") as out:
        stream = out.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.rate = 16_000
        for packet in (*stream.encode(frame), *stream.encode()):
            out.mux(packet)


def states(shown: str) -> list[str]:
    """What stood in the line of a bar, one after the other."""
    return [state for state in shown.split("\r") if "realtime" in state]


def test_one_recording_is_the_bar_in_seconds_of_audio(here):
    code, shown, _ = on_terminal([*ARCHIVE, "long.wav", "-w", "2", "-o", "tags.csv"], env=SLOW)
    assert code == 0
    known = [state for state in states(shown) if "%" in state]
    assert known
    for state in known:
        assert re.fullmatch(r" *\d+%\|.*\| [\d.]+ s of 1 min 00 s of audio, [\d.,]+x realtime(, [\d.]+ s left)?", state)
        assert len(state) <= 80


@pytest.mark.parametrize("name", ["long.m4a", "long.mka", "long.mp3"])
def test_the_length_of_a_compressed_recording_is_known_too(here, name):
    samples, _ = soundfile.read("long.wav", dtype="float32")
    if name == "long.mp3":
        soundfile.write(name, samples, 16_000)
    else:
        write_aac(Path(name), samples)
    code, shown, _ = on_terminal([*ARCHIVE, name, "-w", "1", "-b", "1", "-o", "tags.csv"], env=SLOW)
    assert code == 0
    assert re.search(r"%\|.*\| [\d.]+ s of 1 min 00 s of audio", shown)


def test_several_recordings_are_counted_with_their_audio(here):
    _, shown, _ = on_terminal([*ARCHIVE, "three", "-w", "0.5", "-o", "tags.csv"], env=SLOW)
    assert re.search(r" 33%\|.*\| 1 of 3 recordings, [\d.]+ s of audio, [\d.,]+x realtime, [\d.]+ s left", shown)


def test_nothing_is_drawn_where_a_pager_reads_the_rows(here):
    code, shown, rows = on_terminal([*ARCHIVE, "long.wav", "-w", "2", "-f", "jsonl"], piped=True, env=SLOW)
    assert (code, shown, rows.count("\n")) == (0, "", 32)
    code, shown, _ = on_terminal([*ARCHIVE, "three", "-w", "2"], piped=True, env=SLOW)
    assert (code, shown) == (0, "")
    _, shown, _ = on_terminal([*ARCHIVE, "three", "gone.wav", "-w", "2"], piped=True, env=SLOW)
    assert "3 recordings done, 1 failed" in shown
    _, shown, _ = on_terminal([*ARCHIVE, "long.wav", "-w", "2", "--progress"], piped=True, env=SLOW)
    assert states(shown)


def test_no_bar_is_drawn_beside_a_table(here):
    _, shown, _ = on_terminal([*ARCHIVE, "long.wav", "-w", "2"], env=SLOW)
    assert states(shown) == []


@pytest.fixture
def lines(monkeypatch, capsys):
    """Gives the plain lines of a run of events, one for each."""
    monkeypatch.setattr(run_progress, "LINE_EVERY_S", 0.0)

    def shown(extent: Extent, *events: ScoredWindow | FileEnd | AlreadyDone, actors: str = "") -> list[str]:
        progress, summary = RunProgress(is_live=False), Summary()
        progress.actors = actors
        progress.extent = extent
        monkeypatch.setattr(Summary, "elapsed_s", property(lambda self: 10.0))
        for event in events:
            summary.count(event)
            progress.advance(event, summary)
        return capsys.readouterr().err.splitlines()

    return shown


SOURCE = Source("a", "a", "a", size=1000)


def test_the_time_left_follows_from_the_bytes_that_this_run_has_read(lines):
    extent = Extent()
    for _ in range(4):
        extent.add(SOURCE)
    end = FileEnd(SOURCE, 320_000, 2)
    assert lines(extent, AlreadyDone(SOURCE, "ok"), AlreadyDone(SOURCE, "ok"), end) == [
        "cedtag: 1 of 4 recordings, 0.0 s of audio",
        "cedtag: 2 of 4 recordings, 0.0 s of audio",
        "cedtag: 3 of 4 recordings, 20.0 s of audio, 2.0x realtime, 10.0 s left",
    ]


def test_a_recording_of_unknown_length_shows_what_was_scored(lines):
    extent = Extent()
    extent.add(SOURCE)
    window = ScoredWindow(SOURCE, 0, 0, 160_000, np.zeros(1, np.float32))
    assert lines(extent, window) == ["cedtag: 10.0 s of audio, 1.0x realtime"]


def test_the_actors_of_a_cluster_are_counted(lines):
    window = ScoredWindow(SOURCE, 0, 0, 160_000, np.zeros(1, np.float32))
    assert lines(Extent(), window, actors=", 3 of 4 actors") == [
        "cedtag: 10.0 s of audio, 1.0x realtime, 3 of 4 actors"
    ]


def test_no_signal_comes_between_a_line_and_its_end(monkeypatch):
    pieces: list[str] = []
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=pieces.append, flush=lambda: None))
    write_beside_bars("cedtag: 2 classes")
    assert [piece for piece in pieces if piece] == ["cedtag: 2 classes\n"]
