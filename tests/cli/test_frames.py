"""`--frames`: edges of events by the columns of tokens of each window."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from cedtag import EventSettings, InputError, TagFilter, Tagger, WindowSettings
from cedtag.demo.synthesis import SOUNDS
from cedtag.records import Source
from cedtag.run.journal.open import read_journal
from tests.archive import StubScorer, stub_tagger

DEMO = ("-m", "demo", "--labels", "Dial tone", "-f", "csv")
TONE = (12.2, 15.0)
FRAMES = ("long", "--events", "--frames", "-w", 2, "-t", 0.3, "--onset", 0.55, "--offset", 0.5)


@pytest.fixture(autouse=True)
def tone(sounds):
    """30 s of faint noise with a dial tone from 12.2 to 15 s; the other channel of `two.flac` has noise alone."""
    rng = np.random.default_rng(5)
    samples = 1e-4 * rng.standard_normal((480_000, 2))
    start, stop = (round(seconds * 16_000) for seconds in TONE)
    samples[start:stop, 0] += SOUNDS["Dial tone"](rng)[: stop - start]
    folder = sounds.parent / "long"
    folder.mkdir()
    soundfile.write(folder / "tone.wav", samples[:, 0], 16_000)
    soundfile.write(sounds.parent / "two.flac", samples, 16_000)
    return folder


def edges(done) -> list[tuple[float, float]]:
    assert done.code == 0, done.stderr
    return [(float(start), float(end)) for _, start, end, *_ in (line.split(",") for line in done.lines[1:])]


def near_tone(found) -> bool:
    return len(found) == 1 and np.allclose(found[0], TONE, rtol=0, atol=0.16)


@pytest.mark.parametrize("windows", [[], ["-w", "2"], ["--hop", "5"], ["-w", "3", "--overlap", "30%"]])
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_an_event_begins_and_ends_where_its_columns_do(cedtag, windows, backend):
    if backend == "onnx":
        pytest.importorskip("onnxruntime")
    found = edges(cedtag("events", "long", *DEMO, "--frames", "--backend", backend, *windows))
    assert near_tone(found), found
    assert not near_tone(edges(cedtag("events", "long", *DEMO, "--backend", backend, *windows)))


def test_parts_and_channels_of_recordings_have_the_same_edges(cedtag):
    part = edges(cedtag("events", "long", *DEMO, "--frames", "--from", 5.03, "--to", 21))
    assert near_tone(part), part
    both = cedtag("events", "two.flac", *DEMO[:-1], "jsonl", "--frames", "--channel", "each").rows
    assert [event["channel"] for event in both] == [1]
    assert near_tone([(both[0]["start"], both[0]["end"])])


def test_the_scores_of_windows_are_those_without_frames(tone):
    tagger = Tagger.from_pretrained("demo", backend="torch", device="cpu")
    plain = tagger.scores(tone / "tone.wav")
    with_columns = Tagger.from_pretrained("demo", backend="torch", device="cpu").model.scorer.score_columns
    samples = soundfile.read(tone / "tone.wav", dtype="float32")[0]
    source = Source("a", "a", "a")
    windows = [window_at(source, samples, start) for start in plain.start]
    assert np.array_equal(with_columns(windows)[0], plain.scores)


def window_at(source, samples, start):
    from cedtag.records import Window

    return Window(source, int(start) // 160_000, int(start), samples[start : start + 160_000])


def test_the_library_gives_the_events_of_the_command_line(cedtag, tone):
    tagger = Tagger.from_pretrained("demo")
    found = tagger.events(
        tone / "tone.wav",
        events=EventSettings(0.4),
        windows=WindowSettings(frames=True),
        tags=TagFilter(labels=("Dial tone",)),
    )
    written = edges(cedtag("events", "long", *DEMO, "--frames", "--onset", 0.4))
    assert [(event["start"], event["end"]) for event in found.to_dicts()] == written
    with pytest.raises(InputError, match="`frames` goes with `events`"):
        tagger.tag(tone / "tone.wav", windows=WindowSettings(frames=True))


def test_columns_are_in_the_journal_and_make_other_events_without_scoring(cedtag, tone):
    piped = cedtag(*FRAMES, "-f", "csv").stdout
    assert piped.count(b"\n") > 50
    assert cedtag(*FRAMES, "-o", "f.csv").code == 0
    made = tone.parent / "f.csv"
    assert made.read_bytes() == piped
    assert cedtag("events", "f.csv.journal", *FRAMES[7:], "-f", "csv").stdout == piped
    _, results = read_journal(tone.parent / "f.csv.journal")
    assert {round(row.stop - row.start, -2) for row in results() if getattr(row, "tags", ())} <= {2600, 3800}
    again = cedtag(*FRAMES[:-3], 0.6, "--offset", 0.5, "-o", "f.csv")
    assert "1 recording done earlier" in again.stderr
    assert made.read_bytes() == cedtag(*FRAMES[:-3], 0.6, "--offset", 0.5, "-f", "csv").stdout != piped


def test_frames_are_a_setting_of_the_run(cedtag):
    whole = [arg for arg in FRAMES if arg != "--frames"]
    assert cedtag(*whole, "-o", "f.csv").code == 0
    refused = cedtag(*FRAMES, "-o", "f.csv")
    assert (refused.code, "--frames was None and is now True" in refused.stderr) == (1, True)


@pytest.mark.parametrize("more", [[], ["--events", "--refine", "1"]])
def test_frames_say_what_they_go_with(cedtag, more):
    done = cedtag("long", "--frames", *more)
    assert (done.code, "--frames goes with --events, and is an alternative to --refine" in done.stderr) == (2, True)
    assert len(done.stderr.splitlines()) == 1


def test_live_input_has_edges_as_it_comes(cedtag, tone, monkeypatch):
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((tone / "tone.wav").read_bytes())))
    assert near_tone(edges(cedtag("-", "--events", *DEMO, "--frames")))


class TestWithoutColumns:
    @pytest.fixture
    def load_tagger(self):
        return stub_tagger(StubScorer())

    def test_a_backend_that_gives_no_columns_is_refused(self, cedtag):
        done = cedtag("events", "long", "--frames")
        assert (done.code, "--backend stub scores whole windows only" in done.stderr) == (2, True)
