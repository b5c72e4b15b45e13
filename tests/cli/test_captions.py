"""`cedtag captions`, from recordings and from results."""

from __future__ import annotations

from importlib import resources

import pytest

ROWS = """file,start,end,index,mid,label,peak,mean
film.mkv,0.000,4.000,0,/m/09x0r,Speech,0.9,0.8
film.mkv,2.000,4.500,75,/m/05tny_,Bark,0.8,0.7
film.mkv,9.000,9.200,137,/m/04rlf,Music,0.6,0.6
"""
SRT = b"1\r\n00:00:00,500 --> 00:00:03,000\r\nCome here!\r\n\r\n2\r\n00:00:12,000 --> 00:00:13,000\r\nGood dog.\r\n"


@pytest.fixture
def film(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.csv").write_text(ROWS)
    (tmp_path / "film.srt").write_bytes(SRT)
    return tmp_path


def test_cues_come_between_the_lines_in_the_format_of_the_subtitles(cedtag, film):
    done = cedtag("captions", "events.csv", "--with", "film.srt", "-o", "out/film.sdh.srt")
    assert (done.code, done.stdout) == (0, b"")
    assert done.stderr == "cedtag: cues for sounds: 2\n"
    new = (
        b"3\r\n00:00:03,000 --> 00:00:04,500\r\n[dog barking]\r\n\r\n"
        b"4\r\n00:00:09,000 --> 00:00:10,000\r\n[music]\r\n\r\n"
    )
    at = SRT.index(b"2\r\n00")
    assert (film / "out/film.sdh.srt").read_bytes() == SRT[:at] + new + SRT[at:]


def test_without_subtitles_there_are_cues_for_sounds_alone(cedtag, film):
    assert cedtag("captions", "events.csv", "-o", "sounds.vtt", "-q").code == 0
    assert (film / "sounds.vtt").read_text() == (
        "WEBVTT\n\n00:00:02.000 --> 00:00:04.500\n[dog barking]\n\n00:00:09.000 --> 00:00:10.000\n[music]\n\n"
    )
    assert cedtag("captions", "events.csv", "-f", "vtt").stdout == (film / "sounds.vtt").read_bytes()
    (film / "empty.vtt").touch()
    with_empty = cedtag("captions", "events.csv", "--with", "empty.vtt", "-o", "-")
    assert with_empty.stdout == (film / "sounds.vtt").read_bytes()


def test_classes_are_chosen_as_in_events(cedtag, film):
    done = cedtag("captions", "events.csv", "--labels", "Speech")
    assert done.stdout == b"1\n00:00:00,000 --> 00:00:04,000\n[speech]\n\n"
    assert b"dog" not in cedtag("captions", "events.csv", "--exclude", "Bark").stdout


def test_rows_and_a_recording_give_the_same_captions(cedtag, film):
    with resources.as_file(resources.files("cedtag.demo") / "sample.ogg") as sample:
        of_audio = cedtag("captions", sample, "-m", "demo", "-w", "2", "--onset", "0.4")
        assert cedtag("tag", sample, "-m", "demo", "-w", "2", "-k", "0", "-t", "0.1", "-o", "rows.json", "-q").code == 0
    assert of_audio.code == 0
    assert of_audio.stderr == "cedtag: cues for sounds: 2\n"
    assert b"[siren]" in of_audio.stdout
    assert cedtag("captions", "rows.json", "--onset", "0.4").stdout == of_audio.stdout


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["events.csv", "--with", "no.srt"], "cedtag: no.srt: cannot be read"),
        (["events.csv", "--with", "events.csv"], "cedtag: events.csv: no line with the times of a cue was found"),
        (
            ["events.csv", "--with", "film.srt", "-o", "x.vtt"],
            "cedtag: film.srt: is srt, and its lines stay as they are",
        ),
        (["events.csv", "--with", "film.srt", "-o", "film.srt", "--overwrite"], "cedtag: film.srt: this is an input"),
        (["events.csv", "--with", "film.srt", "--window", "2", "--device", "cpu"], "cedtag: --device is about scoring"),
        (["."], "cedtag: .: is a folder, and captions are those of one recording"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(cedtag, film, args, sentence):
    done = cedtag("captions", *args)
    assert done.code == 2
    assert done.stderr.startswith(sentence)
    assert (film / "film.srt").read_bytes() == SRT


def test_results_of_several_recordings_are_refused(cedtag, film):
    (film / "events.csv").write_text(ROWS + ROWS.splitlines()[1].replace("film", "other") + "\n")
    done = cedtag("captions", "events.csv")
    assert done.code == 2
    assert "other.mkv: captions are those of one recording, and there is film.mkv already" in done.stderr
