"""Start times come from names and from what recorders write."""

from __future__ import annotations

import sys
import zoneinfo
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.inputs import start_time
from cedtag.inputs.clock import Clock
from cedtag.inputs.start_time import start_time_of, timed
from cedtag.records import AlreadyDone, Skipped, Source, TagResult, TimedSource
from cedtag.writers.clock_columns import clock_times

if TYPE_CHECKING:
    from pathlib import Path


def with_time(source: Source, clock: Clock) -> Source:
    """The recording as a run gets it."""
    (found,) = timed([source], clock)
    assert isinstance(found, Source)
    return found


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
        ("20240501_053000_to_20240501_060000.wav", "2024-05-01T05:30:00+00:00"),
        ("20240501_053000_20240501_060000.wav", "2024-05-01T05:30:00+00:00"),
        ("20240501-053000-060000.wav", "2024-05-01T05:30:00+00:00"),
        ("S20240501T053000+1000_E20240501T060000+1000.wav", "2024-05-01T05:30:00+10:00"),
        ("20240501_053000.123+0200.wav", "2024-05-01T05:30:00.123000+02:00"),
        ("20240501T053000.5Z.flac", "2024-05-01T05:30:00.500000+00:00"),
        ("20240501_053000,250.wav", "2024-05-01T05:30:00.250000+00:00"),
        ("20240501_053000.2.wav", "2024-05-01T05:30:00+00:00"),  # a second copy
        ("20240501_053000.3gp", "2024-05-01T05:30:00+00:00"),
        ("20240501_053000-0042.wav", "2024-05-01T05:30:00+00:00"),
        ("20240501_053000-0015.wav", "2024-05-01T05:30:00+00:00"),
        ("20240501_053000-2042.wav", "2024-05-01T05:30:00+00:00"),
        ("20240501_053000-02.wav", "2024-05-01T05:30:00+00:00"),
        ("20240501_053000+1500.wav", "2024-05-01T05:30:00+00:00"),
        ("20240501_053000+1400.wav", "2024-05-01T05:30:00+14:00"),
        ("20240501_053000-1200.wav", "2024-05-01T05:30:00-12:00"),
        ("20240501_053000+0545.wav", "2024-05-01T05:30:00+05:45"),
        ("20240501_053000+01.wav", "2024-05-01T05:30:00+01:00"),
        ("20240501T053000-05.wav", "2024-05-01T05:30:00-05:00"),
        ("20240501t053000z.wav", "2024-05-01T05:30:00+00:00"),
        ("20240501_053000_UTC+2.wav", "2024-05-01T05:30:00+02:00"),
        ("20240501_09:48:32.wav", "2024-05-01T09:48:32+00:00"),
        ("2024:05:01 09:48:32+01:00.wav", "2024-05-01T09:48:32+01:00"),
        ("2024-05-01_05h30m00s.wav", "2024-05-01T05:30:00+00:00"),
        ("WhatsApp Audio 2024-05-01 at 05.30.00.ogg", "2024-05-01T05:30:00+00:00"),
        ("in/20260323/053000.wav", "2026-03-23T05:30:00+00:00"),
        ("20260323/09:48:32.wav", "2026-03-23T09:48:32+00:00"),
        ("2026/03/23/05-30-00+0100.wav", "2026-03-23T05:30:00+01:00"),
        ("20260323/053000_2.wav", None),
        ("20260323/rec1.wav", None),
        ("site20260323/053000.wav", None),
        ("00010101_000000.wav", None),
        ("99991231_235959.wav", None),
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
        ("auto", "/usr/share/zoneinfo/UTC", "no such zone"),
        ("auto", "", '`timezone` "": no such zone'),
        ("auto", "Europe", "`timezone` Europe: no such zone"),
        ("auto", "x" * 100_000, "`timezone` x{60}[.]{3}: no such zone"),
        ("auto", "\0", "no such zone"),
        ("auto", "\udcff", "no such zone"),
        ("auto", "+02:75", "no such zone"),
        ("auto", "+14:01", "from -12:00 to [+]14:00"),
        ("auto", "-12:30", "from -12:00 to [+]14:00"),
        ("0001-01-01", "UTC", "`start_time` 0001-01-01: the year must be from 1800 to 2200"),
        ("0001-01-01T00:00:00", "+14:00", "the year must be from 1800 to 2200"),
        ("9999-12-31T23:59:59", "-12:00", "the year must be from 1800 to 2200"),
        ("2024-05-01T05:30:00+23:59", "UTC", "no zone is that far"),
        ("2024-13-01", "UTC", "write auto, name"),
        ("9" * 5000, "UTC", "`start_time` 9{60}[.]{3}: write auto"),
        ("inf", "UTC", "write auto"),
        ("auto", "+99:00", r"`timezone` \+99:00: no zone is that far"),
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


def wamd(time: bytes) -> tuple[bytes, bytes]:
    """Song Meter's metadata: entries of a type, a length and a value."""
    entries = ((0, b"\1\0"), (1, b"SM4"), (5, time), (3, b"2.3"))
    return b"wamd", b"".join(kind.to_bytes(2, "little") + len(v).to_bytes(4, "little") + v for kind, v in entries)


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
        (comment(b"Recorded at 19:17:30 06/04/2018 by AudioMoth 0FE081F80FE081F0"), "2018-04-06T19:17:30+00:00"),
        (comment(b"Recorded at 19:17:30.500 06/04/2018 (UTC-3:30) by X"), "2018-04-06T19:17:30.500000-03:30"),
        (wamd(b"2024-05-01 05:30:00"), "2024-05-01T05:30:00+01:00"),
        (wamd(b"2024-05-01 05:30:00.250-03:30\0"), "2024-05-01T05:30:00.250000-03:30"),
        (wamd(b""), None),
        (wamd(b"no time"), None),
        ((b"wamd", b"\5\0\xff\xff\xff\xff2024"), None),
        ((b"guan", b"GUANO|Version: 1.0\nTimestamp: 2023-07-05t21:44:52z"), "2023-07-05T21:44:52+00:00"),
        ((b"guan", b"GUANO|Version: 1.0\nTimestamp: 2023-07-05T21:44:52+02"), "2023-07-05T21:44:52+02:00"),
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


@pytest.mark.parametrize("zone", ["europe/berlin", "EUROPE/BERLIN", "+02", "gmt+2", "UTC+02:00"])
def test_zones_are_known_in_any_case(zone):
    found = start_time_of(source("20240701_053000.wav"), Clock("name", zone))
    assert found.isoformat() == "2024-07-01T05:30:00+02:00"


def test_a_system_without_time_zone_data_is_named_as_such(monkeypatch):
    for module in [name for name in sys.modules if name.startswith("tzdata.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        with pytest.raises(InputError, match="no time zone data on this system; install them"):
            Clock("auto", "Europe/Paris")
        assert Clock("auto", "UTC").zone is timezone.utc
    finally:
        zoneinfo.reset_tzpath()


def notes(recording: Source, clock: Clock) -> str:
    return "; ".join(with_time(recording, clock).notes)


def test_an_offset_that_no_zone_has_is_ignored_with_a_note(tmp_path):
    guano = (b"guan", b"GUANO|Version: 1.0\nTimestamp: 2023-07-05T21:44:52+99:00")
    timed_by_guano = with_time(wav(tmp_path / "a.wav", guano), Clock("auto", "+01:00"))
    assert timed_by_guano.began == "2023-07-05T21:44:52+01:00"
    assert "+99:00" in "".join(timed_by_guano.notes)
    assert "+9900" in notes(source("20240501_053000+9900.wav"), Clock("name"))
    assert notes(source("20240501_053000-2042.wav"), Clock("name")) == ""


def test_a_cut_with_the_metadata_of_the_whole_recording_has_the_time_of_its_name(tmp_path):
    moth = comment(b"Recorded at 05:00:00 01/05/2024 (UTC) by AudioMoth 24F3190361DA3578")
    for name, began in (
        ("20240501_053000.WAV", "2024-05-01T05:30:00+00:00"),  # half an hour later is no zone, nor is an hour
        ("20240501_060000.WAV", "2024-05-01T06:00:00+00:00"),
        ("20240501_045959.WAV", "2024-05-01T05:00:00+00:00"),
    ):
        found = with_time(wav(tmp_path / name, moth), Clock("auto"))
        assert (found.began, bool(found.notes)) == (began, not name.startswith("20240501_0459"))
    assert "its name and the AudioMoth's comment contradict each other" in notes(
        wav(tmp_path / "20240501_053000.WAV", moth), Clock("auto")
    )
    earlier = with_time(wav(tmp_path / "20240501_040000.WAV", moth), Clock("auto"))
    assert earlier.began == "2024-05-01T05:00:00+00:00"
    assert "the AudioMoth's comment was taken" in earlier.notes[0]


@pytest.mark.parametrize(
    ("name", "zone", "stamp", "began"),
    [
        ("20240501_053000.wav", "UTC", "2024-05-01T05:30:00.5+10:00", "2024-05-01T05:30:00.500000+10:00"),
        ("20240501_053000.wav", "Europe/Berlin", "2024-05-01T03:30:00Z", "2024-05-01T03:30:00+00:00"),
        ("20240501_053000.wav", "Europe/Berlin", "2024-05-01T00:30:00-05:00", "2024-05-01T00:30:00-05:00"),
        ("20240501T053000+1000.wav", "UTC", "2024-05-01 05:30:00", "2024-05-01T05:30:00+10:00"),
        ("20241027_023000.wav", "Europe/Berlin", "2024-10-27T01:30:00Z", "2024-10-27T01:30:00+00:00"),
    ],
)
def test_name_and_metadata_that_differ_by_their_zone_alone_agree(tmp_path, name, zone, stamp, began):
    guano = (b"guan", f"GUANO|Version: 1.0\nTimestamp: {stamp}".encode())
    found = with_time(wav(tmp_path / name, guano), Clock("auto", zone))
    assert (found.began, found.notes) == (began, ())


def test_metadata_that_contradict_each_other_are_noted(tmp_path):
    found = with_time(wav(tmp_path / "a.wav", MOTH, GUANO), Clock("auto"))
    assert found.began.startswith("2023-07-05")
    assert "contradict" in found.notes[0]


def test_a_comment_is_found_before_other_lists(tmp_path):
    cue = (b"LIST", b"adtl" + b"\0" * 20)
    assert start_time_of(wav(tmp_path / "a.wav", MOTH, cue), Clock("metadata")).year == 2021


def test_metadata_behind_more_than_four_gibibytes_are_found(tmp_path):
    path = tmp_path / "long.wav"
    size = (1 << 32) + 100
    ds64 = b"ds64" + (28).to_bytes(4, "little") + size.to_bytes(8, "little") * 2 + b"\0" * 12
    with path.open("wb") as file:
        file.write(b"RF64\xff\xff\xff\xffWAVE" + ds64 + b"data\xff\xff\xff\xff")
        file.seek(size, 1)
        file.write(GUANO[0] + len(GUANO[1]).to_bytes(4, "little") + GUANO[1])
    assert start_time_of(source("long.wav", str(path)), Clock("metadata")).year == 2023


@pytest.mark.parametrize(
    ("name", "began", "said"),
    [
        ("20241027_023000.wav", "2024-10-27T02:30:00+02:00", "occurs twice in Europe/Berlin (+0200 and +0100)"),
        ("20240331_023000.wav", "2024-03-31T02:30:00+01:00", "does not exist in Europe/Berlin"),
        ("20241027_020000.wav", "2024-10-27T02:00:00+02:00", "occurs twice"),
        ("20240331_020000.wav", "2024-03-31T02:00:00+01:00", "does not exist"),
        ("20241027_030000.wav", "2024-10-27T03:00:00+01:00", None),
        ("20240331_030000.wav", "2024-03-31T03:00:00+02:00", None),
        ("20241027_023000+0100.wav", "2024-10-27T02:30:00+01:00", None),
    ],
)
def test_local_times_at_changes_of_the_clocks_are_noted(tmp_path, name, began, said):
    day, time = name[:8], name[9:15]
    guano = (b"guan", f"Timestamp: {day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}".encode())
    readings = [with_time(source(name), Clock("name", "Europe/Berlin"))]
    if "+" not in name:
        readings.append(with_time(wav(tmp_path / "a.wav", guano), Clock("metadata", "Europe/Berlin")))
        given = guano[1].decode().removeprefix("Timestamp: ")
        readings.append(with_time(source("a.wav"), Clock(given, "Europe/Berlin")))
    for found in readings:
        assert found.began == began
        assert len(found.notes) == bool(said)
        assert (said or "") in "".join(found.notes)


def test_times_in_a_name_that_are_no_range_are_noted():
    assert "20240501" not in notes(source("20240501_053000_20240502_053000.wav"), Clock("name"))
    assert notes(source("20240401_053000_20240501_053000.wav"), Clock("name")).startswith("its name holds")
    assert notes(source("20240501_060000_20240501_053000.wav"), Clock("name")).startswith("its name holds")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["20240501_053000-0100.wav", "20240501_053000-0200.wav"], "-0100 was read as the offset from UTC"),
        (["50123456.WAV", "50123457.WAV"], "50123456 was read as an AudioMoth's hexadecimal time"),
        (["20240501T053000-0100.wav", "5C123456A.WAV"], None),
    ],
)
def test_an_assumption_about_names_is_logged_once(names, said, monkeypatch):
    logged: list[tuple[object, ...]] = []
    monkeypatch.setattr(start_time.logger, "warning", lambda *message: logged.append(message))
    list(timed(map(source, names), Clock("name")))
    assert [said in str(message) for message in logged] == ([True] if said else [])


def test_what_is_no_recording_does_not_count_as_one():
    clock = Clock("2024-05-01T05:30:00Z")
    assert len(list(timed([Skipped(source("dev"), "a device"), source("a.wav")], clock))) == 2
    with pytest.raises(InputError, match="one recording"):
        list(timed([AlreadyDone(source("a.wav"), "ok"), source("b.wav")], clock))


@given(st.text(max_size=30), st.text(max_size=12))
def test_no_name_stops_an_archive(text, more):
    for name in (text, f"20240501_053000{more}", f"20240501/05:30:00{more}"):
        with_time(source(name), Clock("auto", "Europe/Berlin"))


def test_none_asks_nothing():
    assert start_time_of(source("20240501_053000.wav"), Clock("none", "UTC")) is None


def test_the_zone_of_utc_is_utc():
    assert Clock("name", "utc").zone is timezone.utc
