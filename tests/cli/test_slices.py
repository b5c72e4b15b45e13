"""`--from` and `--to`: a part of each recording, at its own times."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.inputs.slices import Slice, parse_offset
from cedtag.inputs.windows import sliding_windows, windows_of_part
from cedtag.records import Source

A = Source("a", "a", "a")


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """`long.wav` of 6 s, `short.wav` of 2 s, and `cut.wav`: what is in `long.wav` from 1.5 to 4.25 s."""
    monkeypatch.chdir(tmp_path)
    noise = (3000 * np.random.default_rng(0).standard_normal(96_000)).astype(np.int16)
    soundfile.write("long.wav", noise, 16_000)
    soundfile.write("short.wav", noise[:32_000], 16_000)
    soundfile.write("cut.wav", noise[24_000:68_000], 16_000)
    return tmp_path


@given(
    sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=8),
    start=st.integers(0, 30_000),
    length=st.none() | st.integers(1, 40_000),
    hop=st.integers(2000, 4000),
)
def test_windows_of_a_part_are_those_of_its_samples_at_their_places(sizes, start, length, hop):
    signal = np.arange(sum(sizes), dtype=np.float32)
    blocks = np.split(signal, np.cumsum(sizes)[:-1])
    stop = None if length is None else start + length
    found = list(windows_of_part(blocks, Slice(start, stop), A, 4000, hop))
    alone = list(sliding_windows([signal[start:stop]], A, 4000, hop))
    assert [(one.start, one.index) for one in found] == [(start + one.start, one.index) for one in alone]
    assert all(np.array_equal(signal[one.start : one.stop], one.samples) for one in found)


def test_no_block_is_asked_for_after_the_end_of_the_part():
    def blocks():
        for _ in range(4):
            yield np.zeros(1000, np.float32)
        pytest.fail("the part is over")

    assert [one.stop for one in windows_of_part(blocks(), Slice(500, 4000), A, 4000, 4000)] == [4000]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("0.5", 0.5), (".5", 0.5), ("1:30", 90), ("01:02:03.250", 3723.25), ("90:00", 5400), ("0:0:7", 7)],
)
def test_times_are_seconds_or_those_of_a_clock(text, seconds):
    assert parse_offset(text, "from_s") == seconds


@pytest.mark.parametrize("text", ["", "-1", "1e3", "nan", "1:60", "1:2:3:4", "1:", ":30", "1h", "1,5", " 1", "9" * 20])
def test_other_times_are_refused(text):
    with pytest.raises(InputError, match=r"`to_s`.*write seconds"):
        parse_offset(text, "to_s")


def test_rows_of_a_part_have_the_scores_of_its_sound_and_the_times_of_the_recording(cedtag, recordings):
    part = cedtag("long.wav", "-w", "1", "--from", "1.5", "--to", "0:00:04.25", "-f", "jsonl")
    alone = cedtag("cut.wav", "-w", "1", "-f", "jsonl").rows
    assert [row["start"] for row in part.rows] == [row["start"] + 1.5 for row in alone] == [1.5, 2.5, 3.25]
    assert [row["tags"] for row in part.rows] == [row["tags"] for row in alone]
    assert part.objects[-1]["duration"] == 4.25


def test_events_of_a_part_have_the_times_of_the_recording(cedtag, recordings):
    shape = ["-w", "1", "--onset", "0.5"]
    part = cedtag("events", "long.wav", *shape, "--from", "1.5", "--to", "4.25", "-f", "jsonl").rows
    alone = cedtag("events", "cut.wav", *shape, "-f", "jsonl").rows
    assert len(part) > 0
    assert [(one["start"] - 1.5, one["label"], one["peak"]) for one in part] == [
        (one["start"], one["label"], one["peak"]) for one in alone
    ]


def test_clock_times_of_a_part_are_those_of_the_recording(cedtag, recordings):
    clock = ["--start-time", "2024-05-01T05:30:00Z", "--from", "2", "-w", "4"]
    (row,) = cedtag("long.wav", *clock, "-f", "jsonl").rows
    assert row["abs_start"] == "2024-05-01T05:30:02.000+00:00"


def test_a_recording_that_ends_before_the_part_has_no_row_and_a_warning(cedtag, recordings):
    done = cedtag("short.wav", "long.wav", "-w", "1", "--from", "3", "--to", "5", "-f", "jsonl")
    assert done.code == 0
    assert {row["file"] for row in done.rows} == {"long.wav"}
    assert "short.wav: ends at 2.000 s, and the part begins at 3.000 s" in done.stderr
    (end,) = [one for one in done.objects if one.get("status") and one["file"] == "short.wav"]
    assert (end["status"], end["duration"]) == ("ok", 2.0)


def test_the_part_is_among_the_settings_of_a_run(cedtag, recordings):
    assert cedtag("long.wav", "-w", "1", "--from", "1", "-o", "a.csv").code == 0
    assert cedtag("long.wav", "-w", "1", "--from", "0:01", "-o", "a.csv").code == 0
    other = cedtag("long.wav", "-w", "1", "--from", "1", "--to", "3", "-o", "a.csv")
    assert other.code != 0
    assert "--to was None and is now 3.0" in other.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--from", "4", "--to", "4"], "--to 4: expected seconds after --from 4"),
        (["--to", "0"], "--to 0: expected seconds after --from 0"),
        (["--from", "1e9"], "--from 1e9: write seconds"),
    ],
)
def test_a_part_that_cannot_be_is_refused(cedtag, recordings, options, sentence):
    done = cedtag("long.wav", *options)
    assert (done.code, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"cedtag: {sentence}")


def test_raven_lines_up_whole_recordings_alone(cedtag, recordings):
    assert cedtag("long.wav", "--to", "2", "-f", "raven").code == 0
    refused = cedtag("long.wav", "short.wav", "--to", "2", "-o", "all.selections.txt")
    assert refused.code == 2
    assert "raven lines recordings up by their whole lengths" in refused.stderr
    assert cedtag("long.wav", "short.wav", "--to", "2", "-o", "rows.json").code == 0
    assert cedtag("convert", "rows.json", "-f", "raven").code == 2
    assert cedtag("convert", "rows.json", "-f", "raven", "-o", "folder/").code == 0
    assert cedtag("long.wav", "short.wav", "--from", "1", "-f", "raven").code == 0


def test_results_have_no_part(cedtag, recordings):
    assert cedtag("long.wav", "-o", "rows.json").code == 0
    done = cedtag("events", "rows.json", "--to", "2")
    assert (done.code, done.stderr) == (2, "cedtag: --to is about scoring, and rows are scored; leave it out\n")


def test_only_what_was_scored_counts_as_audio(cedtag, sounds):
    assert "1 window, 2.0 s of audio" in cedtag("sounds/a.wav", "--from", 1, "--to", 3, "-o", "part.csv").stderr
