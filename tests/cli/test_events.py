from __future__ import annotations

import json

import pytest

HEADER = "file,start,end,index,mid,label,peak,mean"
SHAPE = ("--onset", 0.55, "--offset", 0.5, "--onset", "Speech=0.52", "--min-duration-off", 1.5)


@pytest.fixture
def audio_events(cedtag, sounds) -> bytes:
    """The events of all recordings as CSV, from audio, with enough of them to mean something."""
    made = cedtag("sounds", "-w", 1, "--events", *SHAPE, "-f", "csv")
    assert made.code == 0
    assert made.lines[0] == HEADER
    assert len(made.lines) > 50
    return made.stdout


def test_events_is_tagging_with_events(cedtag, audio_events):
    assert cedtag("events", "sounds", "-w", 1, *SHAPE, "-f", "csv").stdout == audio_events


@pytest.mark.parametrize("rows", ["csv", "tsv", "jsonl", "json", "journal"])
def test_events_from_rows_are_events_from_audio(cedtag, audio_events, tmp_path, rows):
    written = tmp_path / f"rows.{rows.replace('journal', 'csv')}"
    assert cedtag("sounds", "-w", 1, "-k", 0, "-t", 0.5, "-o", written).code == 0
    source = f"{written}.journal" if rows == "journal" else written
    assert cedtag("events", source, "-w", 1, *SHAPE, "-f", "csv").stdout == audio_events


@pytest.mark.parametrize("rows", ["csv", "jsonl", "json", "journal"])
def test_overlapping_windows_make_the_same_events_from_rows_as_from_audio(cedtag, sounds, tmp_path, rows):
    windows = ("-w", 1, "--hop", 0.3)
    wanted = cedtag("sounds", *windows, "--events", *SHAPE, "--pad-offset", 0.2, "-f", "csv")
    written = tmp_path / f"rows.{rows.replace('journal', 'csv')}"
    cedtag("sounds", *windows, "-k", 0, "-t", 0, "-o", written)
    source = f"{written}.journal" if rows == "journal" else written
    assert cedtag("events", source, *SHAPE, "--pad-offset", 0.2, "-f", "csv").stdout == wanted.stdout
    assert len(wanted.lines) > 50


def test_rows_without_the_scores_that_a_mean_needs_are_refused(cedtag, sounds):
    for more in (["-k", 0, "-t", 0.1], ["-k", 5, "-t", 0], ["-k", 0, "-t", 0, "-t", "Speech=0.1"]):
        assert cedtag("sounds", "-w", 1, "--hop", 0.3, *more, "-o", "rows.json", "--overwrite").code == 0
        refused = cedtag("events", "rows.json")
        assert (refused.code, "tag with -k 0 -t 0" in refused.stderr) == (2, True)


def test_rows_come_through_a_pipe(cedtag, audio_events, monkeypatch):
    piped = cedtag("sounds", "-w", 1, "-k", 0, "-t", 0.5, "-f", "jsonl").stdout
    with_stdin(monkeypatch, piped)
    assert cedtag("events", "-", *SHAPE, "-f", "csv").stdout == audio_events


def with_stdin(monkeypatch, data: bytes) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_every_format_and_place_holds_the_same_events(cedtag, audio_events, tmp_path):
    events = ("-w", 1, "--events", *SHAPE)
    formats = ("csv", "tsv", "json", "jsonl")
    piped = {name: cedtag("sounds", *events, "-f", name).stdout for name in formats}
    assert piped["csv"] == audio_events
    assert cedtag("sounds", *events, *(arg for name in formats for arg in ("-o", f"all.{name}"))).code == 0
    assert {name: (tmp_path / f"all.{name}").read_bytes() for name in formats} == piped
    assert cedtag("sounds", *events, "-f", "csv", "-o", "folder/").code == 0
    rows = [line for path in sorted((tmp_path / "folder").rglob("*.csv")) for line in path.read_text().splitlines()]
    assert sorted(set(rows)) == sorted(audio_events.decode().splitlines())


def test_json_says_how_events_were_made(cedtag, sounds):
    made = json.loads(cedtag("sounds", "-w", 1, "--events", *SHAPE, "-f", "json").stdout)
    assert made["events"] == {
        "onset": 0.55,
        "offset": 0.5,
        "onsets": {"0": 0.52},
        "offsets": {"0": 0.5},
        "min-duration-on": 0.0,
        "min-duration-off": 1.5,
        "pad-onset": 0.0,
        "pad-offset": 0.0,
    }
    assert {tuple(record)[:2] for record in made["recordings"]} == {("file", "events")}
    assert made["settings"]["threshold"] == 0.5


def test_a_table_has_a_line_per_event(cedtag, sounds):
    events = ("sounds/c.ogg", "--events", "--onset", 0.3, "--labels", "Speech", "--labels", "Music")
    (csv_row, *_) = cedtag(*events, "-f", "csv").lines[1:]
    heading, line, *_ = cedtag(*events, "-f", "table").lines
    assert heading == "sounds/c.ogg"
    assert line == f"  0:00:00.0 - 0:00:01.0  {float(csv_row.split(',')[6]):.2f} {csv_row.split(',')[5]}"


def test_without_events_a_table_has_its_header_and_json_its_recordings(cedtag, sounds):
    nothing = ("sounds/c.ogg", "--events", "--onset", 1)
    assert cedtag(*nothing, "-f", "csv").lines == [HEADER]
    assert json.loads(cedtag(*nothing, "-f", "json").stdout)["recordings"][0]["events"] == []


def test_other_events_are_made_of_the_journal_without_scoring_again(cedtag, sounds, tmp_path):
    common = ("sounds", "-w", 1, "--events", "-t", 0.5, "-o", "e.csv")
    assert cedtag(*common, "--onset", 0.6).code == 0
    strict = (tmp_path / "e.csv").read_bytes()
    (sounds / "c.ogg").touch()  # would be noticed if the journal were not asked
    again = cedtag(*common, "--onset", 0.55, "--min-duration-on", 2)
    assert again.code == 0
    assert "3 done earlier" in again.stderr
    assert (tmp_path / "e.csv").read_bytes() != strict
    assert cedtag(*common, "--onset", 0.6).code == 0
    assert (tmp_path / "e.csv").read_bytes() == strict


def test_in_a_folder_other_events_are_refused_because_its_files_are_made(cedtag, sounds):
    common = ("sounds", "-w", 1, "--events", "-t", 0.5, "-f", "csv", "-o", "out/")
    assert cedtag(*common, "--onset", 0.6).code == 0
    assert cedtag(*common, "--onset", 0.6).code == 0
    refused = cedtag(*common, "--onset", 0.55)
    assert refused.code == 1
    assert "--onset was 0.6 and is now 0.55" in refused.stderr


def test_what_changes_rows_is_refused_too(cedtag, sounds):
    assert cedtag("sounds", "--events", "-o", "e.csv").code == 0
    refused = cedtag("sounds", "--events", "--offset", 0.1, "-o", "e.csv")
    assert (refused.code, "--threshold was 0.25 and is now 0.1" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("option", "name"),
    [
        (["--watch", "Speech"], "watch"),
        (["--group", "--labels", "Vehicle"], "group"),
        (["--level", 2], "level"),
        (["--most-specific"], "most-specific"),
        (["--where", "Speech > 0.1"], "where"),
    ],
)
def test_options_that_change_rows_are_settings_of_the_run(cedtag, sounds, option, name):
    assert cedtag("sounds/c.ogg", "-o", "r.csv").code == 0
    refused = cedtag("sounds/c.ogg", "-o", "r.csv", *option)
    assert refused.code == 1
    assert f"--{name} was " in refused.stderr


def test_groups_conditions_and_watch_lists_reach_the_rows(cedtag, sounds):
    def labels(*args) -> list[str]:
        return [line.split(",", 7)[6] for line in cedtag("sounds/c.ogg", "-f", "csv", "-t", 0, *args).lines[1:]]

    assert labels("--group", "--labels", "Siren", "-k", 1, "--watch", "Dog")[-1] == "Dog"
    assert len(labels("--level", 1, "-k", 0)) == 7
    assert labels("--where", "Speech >= 0 and not Music > 1") == labels()
    assert labels("--where", "Speech > 1") == []
    assert len(labels("-k", 0, "--most-specific")) < 527


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["sounds", "--events", "--layout", "wide"], "leave one of them"),
        (["sounds", "--events", "--onset", "0.2", "--offset", "0.3"], "an event ends below where it begins"),
        (["sounds", "--events", "--onset", "Speach=1"], "did you mean 'Speech'"),
        (["sounds", "--events", "--onset", "0"], "scores above 0"),
        (["sounds", "--where", "Speech >"], "column 9"),
        (["events"], "nothing to tag was named"),
        (["events", "rows.csv", "sounds"], "rows and recordings cannot be mixed"),
        (["events", "rows.csv", "-m", "tiny"], "--model is about scoring"),
        (["events", "rows.csv", "--pad-offset", "1"], "which --pad-offset needs"),
        (["events", "rows.csv", "-w", "3"], "give their length with --window"),
        (["events", "nowhere.csv"], "nowhere.csv"),
        (["events", "events.csv"], "these are events already"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(cedtag, sounds, tmp_path, args, said):
    (tmp_path / "events.csv").write_text(f"{HEADER}\na.wav,0.000,1.000,0,/m/09x0r,Speech,0.9000,0.8000\n")
    cedtag("sounds/a.wav", "-w", 2, "-o", "rows.csv")
    (tmp_path / "rows.csv.journal").unlink()
    done = cedtag(*args)
    assert done.code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def bursts(sounds):
    """A recording of 30 s with a burst of noise from 12.4 to 13.1 s, in a folder of its own."""
    import numpy as np
    import soundfile

    (sounds.parent / "long").mkdir()
    samples = np.zeros(480_000)
    samples[198_400:209_600] = 0.3 * np.random.default_rng(1).standard_normal(11_200)
    soundfile.write(sounds.parent / "long" / "burst.wav", samples, 16_000)


REFINED = ("long", "--events", "--onset", 0.55, "--offset", 0.5, "--refine", 1)


def test_refine_scores_windows_again_in_which_something_changes(cedtag, bursts):
    coarse, fine = (cedtag(*args, "-f", "csv") for args in (REFINED[:-2], REFINED))
    assert fine.code == 0
    assert all(float(line.split(",")[1]) % 10 == 0 for line in coarse.lines[1:])
    assert any(float(line.split(",")[1]) % 10 for line in fine.lines[1:])


def test_refined_rows_are_in_the_journal_and_give_the_same_events(cedtag, bursts, tmp_path):
    piped = cedtag(*REFINED, "-f", "csv").stdout
    assert cedtag(*REFINED, "-o", "r.csv").code == 0
    assert (tmp_path / "r.csv").read_bytes() == piped
    assert cedtag("events", "r.csv.journal", *REFINED[2:-2], "-f", "csv").stdout == piped
    refused = cedtag(*REFINED, "-o", "r.csv", "--onset", 0.6)
    assert (refused.code, "--refine was " in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    "args", [["sounds"], ["sounds", "--events", "--hop", "5"], ["sounds", "--events", "-w", "1"], ["-", "--events"]]
)
def test_refine_says_what_it_goes_with(cedtag, sounds, args):
    done = cedtag(*args, "--refine", 1)
    assert (done.code, "--refine 1 goes with --events" in done.stderr) == (2, True)
