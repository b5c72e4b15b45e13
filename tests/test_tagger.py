"""The library gives what the command line gives, and leaves no trace."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cedtag as library
from cedtag import (
    AudioError,
    Destination,
    EventSettings,
    InputError,
    OutputError,
    RunSettings,
    SoundEvent,
    TagFilter,
    Tagger,
    WindowSettings,
)
from tests.micro import CHECKPOINT

WINDOWS = WindowSettings(2.0)
LOUD = TagFilter(threshold=0.5, top_k=3)


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.from_pretrained(str(CHECKPOINT), batch_size=4)


def test_a_recording_has_the_tags_that_the_command_line_writes(cedtag, sounds, tagger):
    for name in ("sounds/a.wav", "sounds/b/stereo.flac", "sounds/b/short.wav"):
        written = cedtag(name, "-w", "2", "-t", "0.5", "-k", "3", "-f", "jsonl", "-b", "4").rows
        assert tagger.tag(name, windows=WINDOWS, tags=LOUD).to_dicts() == written


def test_a_path_bytes_a_file_and_an_array_are_one_recording(sounds, tagger):
    path = Path("sounds/b/stereo.flac")
    samples, rate_hz = soundfile.read(path, dtype="float32")
    expected = tagger.scores(path, windows=WINDOWS)
    for audio, sampling_rate in (
        (str(path), None),
        (path.read_bytes(), None),
        (io.BytesIO(path.read_bytes()), None),
        (samples, rate_hz),
        (samples.astype(np.float64), rate_hz),
    ):
        found = tagger.scores(audio, sampling_rate, windows=WINDOWS)
        assert np.array_equal(found.scores, expected.scores)
        assert (found.start.tolist(), found.stop.tolist()) == ([0, 32_000], [32_000, 48_000])
    assert expected.scores.shape == (2, 527)
    assert [label.name for label in expected.labels[:2]] == ["Speech", "Male speech, man speaking"]


def test_events_are_those_of_the_command_line(cedtag, sounds, tagger):
    settings = EventSettings(onset=0.5, min_duration_off_s=1.0, onsets={"Speech": 0.4})
    options = ["--onset", "0.5", "--onset", "Speech=0.4", "--min-duration-off", "1", "-b", "4"]
    written = cedtag("events", "sounds/a.wav", "-w", "2", "-f", "jsonl", *options).rows
    events = tagger.events("sounds/a.wav", events=settings, windows=WINDOWS)
    assert events.to_dicts() == written
    assert all(isinstance(event, SoundEvent) for event in events)
    assert len(events) > 0


def test_an_archive_is_written_as_the_command_line_writes_it(cedtag, sounds, tagger):
    assert cedtag("sounds", "-o", "line.csv", "-w", "2", "-b", "4").code == 0
    summary = tagger.run("sounds", to="call.csv", settings=RunSettings(windows=WINDOWS))
    assert Path("call.csv").read_bytes() == Path("line.csv").read_bytes()
    assert (summary.found, summary.done) == (4, 4)
    # The same call goes on where it was, and so does the command.
    assert tagger.run(["sounds"], to="call.csv", settings=RunSettings(windows=WINDOWS)).already_done == 4
    assert "4 recordings done earlier" in cedtag("sounds", "-o", "call.csv", "-w", "2", "-b", "4").stderr
    with pytest.raises(OutputError, match=r"`window` was 2\.0 and is now 10\.0"):
        tagger.run("sounds", to="call.csv")
    again = Destination(("call.csv",), overwrite=True)
    assert tagger.run("sounds", again).done == 4


def test_what_is_interrupted_goes_on_with_the_same_call(sounds, tagger):
    from cedtag import Callbacks

    def stop(outcome: object, summary: library.Summary) -> None:
        if summary.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tagger.run("sounds", to="tags.json", callbacks=Callbacks(on_outcome=stop))
    assert not Path("tags.json").exists()
    assert tagger.run("sounds", to="tags.json").already_done == 2
    assert [one["status"] for one in json.loads(Path("tags.json").read_text())["recordings"]] == ["ok"] * 4


def test_results_become_data_frames(sounds, tagger):
    pandas = pytest.importorskip("pandas")
    result = tagger.tag("sounds/a.wav", windows=WINDOWS, tags=LOUD)
    frame = result.to_pandas()
    assert list(frame.columns) == ["file", "start", "end", "rank", "index", "mid", "label", "score"]
    assert len(frame) == sum(len(window.tags) for window in result)
    assert frame.iloc[0].to_dict() == {
        **{name: value for name, value in result[0].to_dict().items() if name != "tags"},
        "rank": 1,
        **result[0].tags[0].to_dict(),
    }
    events = tagger.events("sounds/a.wav", windows=WINDOWS, events=EventSettings(0.5)).to_pandas()
    assert list(events.columns) == ["file", "start", "end", "index", "mid", "label", "peak", "mean"]
    scores = tagger.scores("sounds/a.wav", windows=WINDOWS)
    assert isinstance(scores.to_pandas(), pandas.DataFrame)
    assert scores.to_pandas()["Speech"].tolist() == scores.scores[:, 0].tolist()


def test_what_is_damaged_is_scored_as_far_as_it_goes_and_says_so(sounds, tagger):
    whole = Path("sounds/a.wav").read_bytes()
    Path("cut.wav").write_bytes(whole[:200_000])
    result = tagger.tag("cut.wav", windows=WINDOWS)
    assert result.end.status == "partial"
    assert result.end.problems
    assert 6 < result.duration_s < 6.3
    Path("text.wav").write_text("no audio")
    with pytest.raises(AudioError, match=r"text\.wav: is no audio that cedtag knows"):
        tagger.tag("text.wav")
    with pytest.raises(AudioError, match="no such file"):
        tagger.tag("nowhere.wav")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda tagger: tagger.tag(np.zeros(16_000, np.float32)), "`sampling_rate`"),
        (lambda tagger: tagger.tag(np.zeros(16_000, np.int16), 16_000), "int16 of shape"),
        (lambda tagger: tagger.tag(np.zeros((2, 2, 2), np.float32), 16_000), "of shape"),
        (lambda tagger: tagger.tag("sounds/a.wav", 16_000), "carries its own"),
        (lambda tagger: tagger.tag("sounds/a.wav", windows=WindowSettings(60)), "`window_s` 60"),
        (lambda tagger: tagger.tag("sounds/a.wav", tags=TagFilter(labels=["Dgo"])), "did you mean 'Dog'"),
        (lambda tagger: tagger.tag("sounds/a.wav", tags=TagFilter(depth=0)), "`depth` 0"),
        (lambda tagger: tagger.events("sounds/a.wav", events=EventSettings(onsets={"Dgo": 0.1})), "'Dog'"),
    ],
)
def test_wrong_parameters_are_named(sounds, tagger, call, said):
    with pytest.raises(InputError, match=said):
        call(tagger)


def test_several_threads_share_one_tagger(sounds, tagger):
    expected = tagger.scores("sounds/a.wav", windows=WINDOWS).scores
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: tagger.scores("sounds/a.wav", windows=WINDOWS).scores, range(8)):
            assert np.array_equal(found, expected)


def test_nothing_is_printed_and_no_thread_is_left(sounds, tagger, capfd):
    before = set(threading.enumerate())
    tagger.tag("sounds/a.wav", windows=WINDOWS)
    tagger.run("sounds", to="tags.csv", settings=RunSettings(windows=WINDOWS))
    assert set(threading.enumerate()) == before
    assert capfd.readouterr() == ("", "")


def test_one_line_is_enough(tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "x.wav", 0.1 * rng.standard_normal(16_000), 16_000)
    code = "import cedtag; print(next(iter(cedtag.tag('x.wav', model='demo'))))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("TagResult(source=Source(path='x.wav'")
    assert done.stderr == ""
