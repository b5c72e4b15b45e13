"""Start times come from names and from what recorders write."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cedtag.errors import InputError
from cedtag.inputs.clock import Clock
from cedtag.inputs.start_time import start_time_of, timed, with_time
from cedtag.records import Source, TagResult, TimedSource
from cedtag.writers.clock_columns import clock_times

if TYPE_CHECKING:
    from pathlib import Path


def source(name: str, path: str = "/nowhere") -> Source:
    return Source(path, name, name)


@pytest.mark.parametrize(
    ("name", "began"),
    [
        ("20240501_053000.WAV", "2024-05-01T05:30:00+00:00"),
        ("in/SM4_20240501_053000.wav", "2024-05-01T05:30:00+00:00"),
        ("S4A12345_20240501_053000.wav", "2024-05-01T05:30:00+00:00"),
        ("20240501_053000T.WAV", "2024-05-01T05:30:00+00:00"),
        ("20240501T053000+1000_REC.flac", "2024-05-01T05:30:00+10:00"),
        ("20240501T053000-0330.flac", "2024-05-01T05:30:00-03:30"),
        ("S01_20240501_053000Z.wav", "2024-05-01T05:30:00+00:00"),
        ("2024-05-01_05-30-00.mp3", "2024-05-01T05:30:00+00:00"),
        ("2024-05-01T05:30:00.wav", "2024-05-01T05:30:00+00:00"),
        ("2024-05-01 05.30.00 garden.m4a", "2024-05-01T05:30:00+00:00"),
        ("site7_20240501053000.ogg", "2024-05-01T05:30:00+00:00"),
        ("5678.240501053000.wav", "2024-05-01T05:30:00+00:00"),
        ("20230101_000000_to_20240501_053000.wav", "2024-05-01T05:30:00+00:00"),
        ("6631CF58.WAV", "2024-05-01T05:12:56+00:00"),
        ("20240501.wav", None),
        ("20241301_053000.wav", None),
        ("10160435.wav", None),
        ("speech.wav", None),
        ("12345678_123456.wav", None),
        ("20240501_053000/speech.wav", None),
        ("120240501_053000.wav", None),
    ],
)
def test_names_tell_when_the_recording_began(name, began):
    found = start_time_of(source(name), Clock("name", "UTC"))

    assert (found and found.isoformat()) == began


def test_a_time_without_zone_is_in_the_zone_that_is_asked_for():
    name = "20240701_053000.wav"

    assert start_time_of(source(name), Clock("name", "Europe/Berlin")).isoformat() == "2024-07-01T05:30:00+02:00"
    assert start_time_of(source(name), Clock("name", "-03:30")).isoformat() == "2024-07-01T05:30:00-03:30"
    assert start_time_of(source(name), Clock("name", "UTC+2")).utcoffset() == timedelta(hours=2)


def test_a_recording_may_outlast_a_change_of_the_clocks():
    began = with_time(source("20241027_013000.wav"), Clock("name", "Europe/Berlin"))
    two_hours = TagResult(began, 0, 0, 2 * 3600 * 16_000 + 15, ())

    start, stop = clock_times(two_hours) or ("", "")
    assert (start, stop) == ("2024-10-27T01:30:00.000+02:00", "2024-10-27T03:30:00.000+02:00")
    assert datetime.fromisoformat(stop) - datetime.fromisoformat(start) == timedelta(hours=2)


def test_without_a_start_time_there_are_no_clock_times():
    assert clock_times(TagResult(with_time(source("a.wav"), Clock("auto", "UTC")), 0, 0, 16_000, ())) is None


def test_a_start_time_may_be_given_for_one_recording():
    clock = Clock("2024-05-01T05:30:00Z", "UTC")

    assert list(timed([source("a.wav")], clock)) == [
        TimedSource("/nowhere", "a.wav", "a.wav", began="2024-05-01T05:30:00+00:00")
    ]
    with pytest.raises(InputError, match="one recording"):
        list(timed([source("a.wav"), source("b.wav")], clock))


@pytest.mark.parametrize(
    ("start_time", "zone", "said"),
    [
        ("yesterday", "UTC", "`start_time` yesterday: write auto, name, metadata, none, or a time such as"),
        ("auto", "Berlin", "`timezone` Berlin: no such zone; write UTC"),
        ("auto", "../etc/passwd", "`timezone` ../etc/passwd: no such zone"),
        ("auto", "+99:00", r"\+99: no zone is that far"),
    ],
)
def test_what_cannot_be_meant_is_refused(start_time, zone, said):
    with pytest.raises(InputError, match=said):
        Clock(start_time, zone)


def wav(path: Path, *added: tuple[bytes, bytes], first: bool = False) -> Source:
    """A WAV file with more chunks, behind or before the audio."""
    soundfile.write(path, np.zeros(1000, np.int16), 16_000)
    whole = path.read_bytes()
    extra = b"".join(kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2) for kind, body in added)
    body = whole[12:36] + extra + whole[36:] if first else whole[12:] + extra
    path.write_bytes(b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WAVE" + body)
    return source(path.name, str(path))


def bext(date: bytes, time: bytes) -> tuple[bytes, bytes]:
    return b"bext", b"\0" * 320 + date + time + b"\0" * 264


def comment(text: bytes) -> tuple[bytes, bytes]:
    return b"LIST", b"INFOICMT" + len(text).to_bytes(4, "little") + text


GUANO = (b"guan", b"GUANO|Version: 1.0\nMake: X\nTimestamp: 2023-07-05T21:44:52.25+02:00\nLength: 1.5\n")
MOTH = comment(b"Recorded at 04:40:00 02/09/2021 (UTC-6) by AudioMoth 2453AC025DAEB669 at medium gain setting.")
BWF = bext(b"2022-01-02", b"03:04:05")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("added", "began"),
    [
        (GUANO, "2023-07-05T21:44:52.250000+02:00"),
        ((b"guan", b"GUANO|Version: 1.0\nTimestamp: 2023-07-05T21:44:52\n"), "2023-07-05T21:44:52+01:00"),
        ((b"guan", b"GUANO|Version: 1.0\nTimestamp: 2023-07-05 21:44:52Z"), "2023-07-05T21:44:52+00:00"),
        (MOTH, "2021-09-02T04:40:00-06:00"),
        (comment(b"Recorded at 19:17:30 06/04/2018 (UTC) by AudioMoth 0FE0"), "2018-04-06T19:17:30+00:00"),
        (comment(b"Recorded at 19:17:30 06/04/2018 (UTC+5:30) by AudioMoth"), "2018-04-06T19:17:30+05:30"),
        (comment(b"Recorded with a phone"), None),
        (BWF, "2022-01-02T03:04:05+01:00"),
        (bext(b"2022:01:02", b"03-04-05"), "2022-01-02T03:04:05+01:00"),
        (bext(b"\0" * 10, b"\0" * 8), None),
        (bext(b"0000-00-00", b"00:00:00"), None),
    ],
)
def test_metadata_tell_when_the_recording_began(tmp_path, added, began, first):
    found = start_time_of(wav(tmp_path / "a.wav", added, first=first), Clock("metadata", "+01:00"))

    assert (found and found.isoformat()) == began


def test_recorders_are_believed_before_names_and_names_before_editors(tmp_path):
    clock = Clock("auto", "UTC")

    assert start_time_of(wav(tmp_path / "20200101_000000.wav", BWF, MOTH, GUANO), clock).year == 2023
    assert start_time_of(wav(tmp_path / "20200101_000000.wav", BWF, MOTH), clock).year == 2021
    assert start_time_of(wav(tmp_path / "20200101_000000.wav", BWF), clock).year == 2020
    assert start_time_of(wav(tmp_path / "a.wav", BWF), clock).year == 2022


def test_files_that_are_no_wav_or_gone_tell_nothing(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"junk")

    for path in (tmp_path / "a.wav", tmp_path / "gone.wav", tmp_path):
        assert start_time_of(source("a.wav", str(path)), Clock("metadata", "UTC")) is None


def test_none_asks_nothing():
    assert start_time_of(source("20240501_053000.wav"), Clock("none", "UTC")) is None


def test_the_zone_of_utc_is_utc():
    assert Clock("name", "utc").zone is timezone.utc
