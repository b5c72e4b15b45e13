"""Formats of other programs, read back with the library that these use, where there is one."""

from __future__ import annotations

import csv
import io
import json
import warnings
import zipfile
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.inputs.start_time import timed_source
from cedtag.records import FileEnd, SoundEvent, Source, Tag, TagResult
from cedtag.writers import writer_type
from cedtag.writers.run_info import RunInfo
from cedtag.writers.timecode import FRAME_RATES, frame_at, frames_of_an_hour, is_drop_frame, timecode

A = Source("/data/site 1/a b.wav", "/data/site 1/a b.wav", "a b.wav")
DOG = Tag(74, "/m/0bt9lr", "Dog", 0.9123)
SPEECH = Tag(0, "/m/09x0r", "Speech", 0.5)
RAIN = Tag(289, "/m/06mb1", "Rain, heavy|50%", 0.25)
RUN = RunInfo({"model": "ced-tiny", "start-time": "auto"}, (), frame_rate="25", position="52.5,-13.4")
ROWS: list[Any] = [
    TagResult(A, 0, 0, 160_000, (DOG, SPEECH)),
    TagResult(A, 1, 160_000, 320_000, ()),
    TagResult(A, 2, 320_000, 345_678, (RAIN,)),
    FileEnd(A, 345_678, 3),
]
OVERLAPPING = [
    TagResult(A, 0, 0, 32_000, (DOG,)),
    TagResult(A, 1, 16_000, 48_000, (DOG,)),
    FileEnd(A, 48_000, 2),
]


def written(format_name, results, run=RUN) -> bytes:
    out = io.BytesIO()
    writer = writer_type(format_name)(out, run)
    for result in results:
        writer.write(result)
    writer.close()
    return out.getvalue()


def test_kaleidoscope_has_a_row_per_detection_below_the_columns_that_it_opens():
    rows = list(csv.DictReader(io.StringIO(written("kaleidoscope", ROWS).decode())))

    assert rows[2] == {
        **{"INDIR": "/data", "FOLDER": "site 1", "IN FILE": "a b.wav", "CHANNEL": "0"},
        **{"OFFSET": "20.000", "DURATION": "1.604", "DATE": "", "TIME": "", "HOUR": ""},
        **{"AUTO ID": "Rain, heavy|50%", "SCORE": "0.2500", "MANUAL ID": ""},
    }
    assert [row["AUTO ID"] for row in rows] == ["Dog", "Speech", "Rain, heavy|50%"]


def test_kaleidoscope_counts_channels_from_0_and_has_the_date_of_the_recording():
    source = timed_source(A, "2024-05-01T05:30:00+02:00")
    (row,) = csv.DictReader(io.StringIO(written("kaleidoscope", [TagResult(source, 0, 0, 16_000, (DOG,), 2)]).decode()))

    assert (row["CHANNEL"], row["DATE"], row["TIME"], row["HOUR"]) == ("1", "2024-05-01", "05:30:00", "05")


def test_label_studio_has_a_task_per_recording_with_regions():
    (task,) = json.loads(written("label-studio", ROWS))

    assert task["data"] == {"audio": "/data/local-files/?d=data/site%201/a%20b.wav"}
    (prediction,) = task["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("ced-tiny", 0.9123)
    assert prediction["result"][2] == {
        **{"id": "3", "from_name": "label", "to_name": "audio", "type": "labels", "original_length": 21.604},
        "value": {"start": 20.0, "end": 21.604, "channel": 0, "labels": ["Rain, heavy|50%"]},
        "score": 0.25,
    }
    assert len({region["id"] for region in prediction["result"]}) == 3


def test_label_studio_without_recordings_is_an_empty_list():
    assert json.loads(written("label-studio", [])) == []


def elan(path, results):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pympi = pytest.importorskip("pympi")
        path.write_bytes(written("eaf", results))
        return pympi.Elan.Eaf(str(path))


def test_elan_tiers_are_read_by_pympi(tmp_path):
    document = elan(tmp_path / "a.eaf", ROWS)

    assert sorted(document.get_tier_names()) == ["Dog", "Rain, heavy|50%", "Speech"]
    assert document.get_annotation_data_for_tier("Dog") == [(0, 10_000, "0.91")]
    assert document.get_annotation_data_for_tier("Rain, heavy|50%") == [(20_000, 21_604, "0.25")]
    assert document.get_linked_files() == [{"MEDIA_URL": "file:///data/site%201/a%20b.wav", "MIME_TYPE": "audio/x-wav"}]


def test_elan_annotations_of_a_tier_do_not_overlap(tmp_path):
    document = elan(tmp_path / "a.eaf", OVERLAPPING)

    assert sorted(document.get_annotation_data_for_tier("Dog")) == [(0, 1000, "0.91"), (1000, 3000, "0.91")]


def test_elan_takes_any_name(tmp_path):
    odd = Source("x", "in/\x1b\udcff\n.wav", "x")
    rows = [TagResult(odd, 0, 0, 16_000, (Tag(0, "", "a\x00\x1b&<\udcff", 0.5),)), FileEnd(odd, 16_000, 1)]
    document = elan(tmp_path / "a.eaf", rows)

    assert list(document.get_tier_names()) == ["a%00%1B&<\\udcff"]
    assert document.get_linked_files()[0]["RELATIVE_MEDIA_URL"] == "./in/%1B%FF%0A.wav"


def test_otio_timeline_is_read_by_opentimelineio():
    otio = pytest.importorskip("opentimelineio")
    timeline = otio.adapters.read_from_string(written("otio", ROWS).decode(), "otio_json")

    assert [marker.name for marker in timeline.tracks.markers] == ["Dog 0.91", "Speech 0.50", "Rain, heavy|50% 0.25"]
    marker = timeline.tracks.markers[2]
    assert marker.marked_range.start_time == otio.opentime.RationalTime(500, 25)
    assert marker.marked_range.duration == otio.opentime.RationalTime(40, 25)
    assert marker.metadata["cedtag"] == {"label": "Rain, heavy|50%", "score": 0.25}
    (clip,) = timeline.find_clips()
    assert clip.media_reference.target_url == "file:///data/site%201/a%20b.wav"
    assert clip.duration() == timeline.duration() == otio.opentime.RationalTime(540, 25)


@pytest.mark.parametrize("rate", [rate for rate in FRAME_RATES if rate != "23.976"])
@given(frame=st.integers(0, 24 * 60 * 60 * 23))
def test_timecode_is_that_of_opentimelineio(rate, frame):
    opentime = pytest.importorskip("opentimelineio").opentime
    time = opentime.RationalTime(frame, float(FRAME_RATES[rate]))
    assert timecode(frame, rate) == opentime.to_timecode(time, float(FRAME_RATES[rate]), is_drop_frame(rate))


def test_drop_frame_agrees_with_the_clock_on_the_hour():
    for rate in ("29.97df", "59.94df"):
        assert frame_at(3600 * 16_000, rate) == frames_of_an_hour(rate)
        assert timecode(frames_of_an_hour(rate), rate) == "01:00:00;00"
        assert abs(frames_of_an_hour(rate) - 3600 * FRAME_RATES[rate]) < Fraction(1)
    assert [timecode(frame, "29.97df") for frame in (1799, 1800, 17981, 17982)] == [
        *("00:00:59;29", "00:01:00;02"),
        *("00:09:59;29", "00:10:00;00"),
    ]
    assert timecode(3600, "59.94df") == "00:01:00;04"


def test_edl_has_a_marker_for_each_frame_at_which_something_begins():
    assert written("edl", ROWS).decode() == (
        "TITLE: cedtag\nFCM: NON-DROP FRAME\n\n"
        "001  001      V     C        01:00:00:00 01:00:00:01 01:00:00:00 01:00:00:01\n"
        " |C:ResolveColorBlue |M:Dog 0.91, Speech 0.50 |D:250\n\n"
        "002  001      V     C        01:00:20:00 01:00:20:01 01:00:20:00 01:00:20:01\n"
        " |C:ResolveColorBlue |M:Rain, heavy%7C50% 0.25 |D:40\n\n"
    )


def test_edl_in_drop_frame_says_so():
    text = written("edl", [SoundEvent(A, 960_000, 976_000, 0, "", "Dog", 0.5, 0.5)], replace(RUN, frame_rate="29.97df"))
    assert text.decode().splitlines()[1::2][:1] == ["FCM: DROP FRAME"]
    assert b"01:00:59;28 01:00:59;29" in text  # 60 s are 1798.2 frames


def test_timecode_ends_after_a_day():
    late = SoundEvent(A, 23 * 3600 * 16_000, 23 * 3600 * 16_000 + 16_000, 0, "", "Dog", 0.5, 0.5)
    with pytest.raises(InputError, match="24 hours"):
        written("edl", [late])


# What Camtrap DP 1.0.1 requires of the columns that are written; the tables' schemas are on the network.
ISO = "%Y-%m-%dT%H:%M:%S%z"
KINDS = ["animal", "human", "vehicle", "blank", "unknown", "unclassified"]
SCHEMAS: dict[str, dict[str, dict[str, Any]]] = {
    "deployments": {
        "deploymentID": {"constraints": {"required": True, "unique": True}},
        "latitude": {"type": "number", "constraints": {"required": True, "minimum": -90, "maximum": 90}},
        "longitude": {"type": "number", "constraints": {"required": True, "minimum": -180, "maximum": 180}},
        "deploymentStart": {"type": "datetime", "format": ISO, "constraints": {"required": True}},
        "deploymentEnd": {"type": "datetime", "format": ISO, "constraints": {"required": True}},
    },
    "media": {
        "mediaID": {"constraints": {"required": True, "unique": True}},
        "deploymentID": {"constraints": {"required": True}},
        "timestamp": {"type": "datetime", "format": ISO, "constraints": {"required": True}},
        "filePath": {"constraints": {"required": True, "pattern": r"^(?=^[^./~])(^((?!\.{2}).)*$).*$"}},
        "filePublic": {"type": "boolean", "constraints": {"required": True}},
        "fileName": {},
        "fileMediatype": {"constraints": {"required": True, "pattern": "^(image|video|audio)/.*$"}},
    },
    "observations": {
        "observationID": {"constraints": {"required": True, "unique": True}},
        "deploymentID": {"constraints": {"required": True}},
        "mediaID": {},
        "eventStart": {"type": "datetime", "format": ISO, "constraints": {"required": True}},
        "eventEnd": {"type": "datetime", "format": ISO, "constraints": {"required": True}},
        "observationLevel": {"constraints": {"required": True, "enum": ["media", "event"]}},
        "observationType": {"constraints": {"required": True, "enum": KINDS}},
        "classificationMethod": {"constraints": {"enum": ["human", "machine"]}},
        "classifiedBy": {},
        "classificationProbability": {"type": "number", "constraints": {"minimum": 0, "maximum": 1}},
        "observationTags": {},
    },
}
KEYS = {"deploymentID": "deployments", "mediaID": "media"}
ODD = timed_source(Source("x", "../in/..odd..\udcff.WAV", "x"), "2024-05-01T06:00:00.250+02:00")


def schema_of(table: str) -> dict:
    columns = SCHEMAS[table]
    keys = [
        {"fields": column, "reference": {"resource": other, "fields": column}}
        for column, other in KEYS.items()
        if column in columns and other != table
    ]
    return {
        "fields": [{"name": name, "type": "string", **rules} for name, rules in columns.items()],
        "foreignKeys": keys,
    }


def camtrap_dp(tmp_path):
    """A package on the disk, with these schemas in the place of those on the network."""
    began = timed_source(A, "2024-05-01T05:30:00+02:00")
    rows = [replace(row, source=began) for row in ROWS]
    rows += [TagResult(ODD, 0, 0, 16_000, (SPEECH,), 2), FileEnd(ODD, 16_000, 1)]
    with zipfile.ZipFile(io.BytesIO(written("camtrap-dp", rows))) as package:
        package.extractall(tmp_path)
    description = json.loads((tmp_path / "datapackage.json").read_text())
    resources = [{**resource, "schema": schema_of(resource["name"])} for resource in description["resources"]]
    offline = {**description, "profile": "data-package", "resources": resources}
    (tmp_path / "offline.json").write_text(json.dumps(offline))
    return description


def test_camtrap_dp_has_no_error_for_frictionless(tmp_path, monkeypatch):
    frictionless = pytest.importorskip("frictionless")
    camtrap_dp(tmp_path)
    monkeypatch.chdir(tmp_path)
    report = frictionless.validate("offline.json")

    assert report.flatten(["type", "message"]) == []
    assert report.stats["tasks"] == 3


def test_camtrap_dp_holds_recordings_and_observations(tmp_path):
    camtrap_dp(tmp_path)
    media, observations, deployments = (
        list(csv.DictReader(io.StringIO((tmp_path / f"{name}.csv").read_text())))
        for name in ("media", "observations", "deployments")
    )

    assert deployments == [
        {
            **{"deploymentID": "d1", "latitude": "52.5", "longitude": "-13.4"},
            **{"deploymentStart": "2024-05-01T05:30:00+02:00", "deploymentEnd": "2024-05-01T06:00:01+02:00"},
        }
    ]
    assert [row["filePath"] for row in media] == ["data/site 1/a b.wav", "in/%2E.odd%2E.\\udcff.WAV"]
    assert [row["observationType"] for row in observations] == ["animal", "human", "unknown", "human"]
    assert observations[2]["eventStart"] == "2024-05-01T05:30:20+02:00"
    assert observations[2]["observationTags"] == "label:Rain, heavy/50% | mid:/m/06mb1 | start:20.000 | end:21.604"
    assert observations[3]["observationTags"].endswith("channel:2")


def test_camtrap_dp_describes_itself_by_the_addresses_of_the_standard(tmp_path):
    description = camtrap_dp(tmp_path)

    assert description["profile"] == "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.1/camtrap-dp-profile.json"
    assert description["spatial"] == {"type": "Point", "coordinates": [-13.4, 52.5]}
    assert description["temporal"] == {"start": "2024-05-01", "end": "2024-05-01"}


def test_camtrap_dp_refuses_a_recording_without_a_start_time():
    with pytest.raises(InputError, match=r"a b\.wav: its start time is not known"):
        written("camtrap-dp", ROWS)
