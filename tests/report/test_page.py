"""The page of an archive holds what the results tell, compactly, and nothing that a browser could be misled by."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cedtag.inputs.clock import Clock
from cedtag.inputs.start_time import timed_source
from cedtag.records import FileEnd, FileFailed, SoundEvent, Source, Tag, TagResult
from cedtag.report.archive import Archive, collect
from cedtag.report.html import write_page

BARK, RAIN = Tag(74, "/m/05tny_", "Bark", 0.8125), Tag(289, "/m/06mb1", "Rain", 0.25)
TYPES = {
    "started": "<f8",
    "duration": "<u4",
    "num_steps": "<u4",
    "step_start": "<u4",
    "step_length": "<u4",
    "num_tags": "<u2",
    "tag_class": "<u2",
    "tag_score": "<u2",
    "status": "u1",
}


def source(name: str) -> Source:
    return Source(name, name, name)


def recording(name: str, *tags: tuple[Tag, ...]) -> list[Any]:
    s = source(name)
    windows = [TagResult(s, i, i * 160_000, (i + 1) * 160_000, found) for i, found in enumerate(tags)]
    return [*windows, FileEnd(s, len(tags) * 160_000, len(tags))]


def page_of(archive: Archive, title: str = "An archive", **settings: Any) -> str:
    out = io.BytesIO()
    write_page(out, archive, title, settings)
    return out.getvalue().decode()


def data_of(page: str) -> dict[str, Any]:
    """What a browser finds in a page: its texts and its columns."""
    packed = re.search(r'<script type="text/plain" id="data">([^<]*)</script>', page)
    data = zlib.decompress(base64.b64decode(packed[1]))  # type: ignore[index]
    length = int.from_bytes(data[-4:], "little")
    texts = json.loads(data[-4 - length : -4])
    offset = 0
    for name, size in texts.pop("columns"):
        texts[name] = np.frombuffer(data, TYPES[name], size, offset).tolist()
        offset += size * np.dtype(TYPES[name]).itemsize
    return texts


def test_a_page_holds_names_times_classes_and_scores():
    results = [
        *recording("b/one.wav", (BARK, RAIN), (), (RAIN,)),
        *recording("two.wav", ()),
        *recording("3.wav", (RAIN,)),
    ]
    data = data_of(page_of(collect(results, Path.cwd()), model="tiny"))
    started = data.pop("started")
    assert np.isnan(started).all()
    assert len(started) == 3
    del data["version"]
    assert data == {
        "title": "An archive",
        "settings": {"model": "tiny"},
        "names": ["b/one.wav", "two.wav", "3.wav"],
        "links": ["b/one.wav", "two.wav", "3.wav"],
        "notes": {},
        "classes": ["Bark", "Rain"],
        "least_score": 0,
        "duration": [30_000, 10_000, 10_000],
        "num_steps": [2, 0, 1],
        "step_start": [0, 20_000, 0],  # distances
        "step_length": [10_000, 10_000, 10_000],
        "num_tags": [2, 1, 1],
        "tag_class": [0, 1, 1, 1],
        "tag_score": [8125, 2500, 2500, 2500],
        "status": [0, 0, 0],
    }


def test_recordings_with_problems_say_which():
    a, b = source("a.wav"), source("b.wav")
    results = [FileFailed(a, "open", "a.wav: is no audio"), FileEnd(b, 16_000, 0, ("cut short",), ("odd header",))]
    data = data_of(page_of(collect(results, Path.cwd())))
    assert data["status"] == [2, 1]
    assert data["notes"] == {"0": "is no audio", "1": "cut short; odd header"}


def test_events_are_steps_in_order_of_time():
    a = source("a.wav")
    late = SoundEvent(a, 32_000, 48_000, BARK.index, BARK.mid, BARK.label, 0.9, 0.7)
    early = SoundEvent(a, 0, 160_000, RAIN.index, RAIN.mid, RAIN.label, 0.5, 0.4)
    data = data_of(page_of(collect([late, early, FileEnd(a, 160_000, 1)], Path.cwd())))
    assert (data["step_start"], data["step_length"]) == ([0, 2000], [10_000, 1000])
    assert data["tag_score"] == [5000, 9000]


def test_start_times_are_the_recorders_own_clock():
    clock = Clock("name", "UTC")
    known = timed_source(source("known.wav"), "2024-05-01T05:30:00+02:00")
    results = [FileEnd(s, 16_000, 0) for s in (known, source("SM4_20240501_053000.wav"), source("unknown.wav"))]
    started = collect(results, Path.cwd(), clock=clock).started
    assert list(started[:2]) == [1_714_541_400_000] * 2  # 2024-05-01 05:30 by the clock that hung there
    assert np.isnan(started[2])


def test_links_lead_from_the_page_to_the_recording_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a b#.wav", "/elsewhere/c.wav", "javascript:alert(1).wav", "http://example.org/d.wav", "caf\udce9?.wav"]
    archive = collect([FileEnd(source(name), 16_000, 0) for name in names], tmp_path / "pages")
    up = "../" * len(tmp_path.parts)
    assert archive.links == [
        "../a%20b%23.wav",
        f"{up}elsewhere/c.wav",
        "../javascript%3Aalert%281%29.wav",
        "../http%3A/example.org/d.wav",
        "../caf%E9%3F.wav",
    ]


@given(st.lists(st.lists(st.lists(st.integers(0, 10_000), max_size=4), max_size=4), max_size=5), st.integers(0, 40))
def test_too_many_tags_lose_the_weakest(scores, most):
    results = []
    for number, windows in enumerate(scores):
        tags = [tuple(Tag(i, "", f"class {i}", s / 10_000) for i, s in enumerate(found)) for found in windows]
        results += recording(f"{number}.wav", *tags)
    archive = collect(results, Path.cwd(), max_tags=most)
    every = sorted((s for windows in scores for found in windows for s in found), reverse=True)
    assert sorted(archive.tag_score, reverse=True) == [s for s in every if s >= archive.least_score]
    assert len(archive.tag_score) <= most
    assert sum(archive.num_tags) == len(archive.tag_score)
    assert 0 not in archive.num_tags
    assert sum(archive.num_steps) == len(archive.num_tags) == len(archive.step_start) == len(archive.step_length)
    assert len(archive.names) == len(archive.num_steps) == len(scores)


def test_a_threshold_leaves_weaker_tags_out():
    archive = collect(recording("a.wav", (BARK, RAIN), (RAIN,)), Path.cwd(), least_score=0.5)
    assert (archive.classes, list(archive.num_steps), list(archive.tag_score)) == (["Bark"], [1], [8125])


def test_hostile_names_are_nowhere_in_the_page():
    hostile = '</script><img src=x onerror="alert(1)">'
    page = page_of(collect(recording(hostile + ".wav", (Tag(0, "", hostile, 0.5),)), Path.cwd()), title=hostile)
    assert "<img" not in page
    assert data_of(page)["names"] == [hostile + ".wav"]
    assert "<title>&lt;/script&gt;&lt;img" in page


def test_a_page_names_no_address_to_load_from():
    page = page_of(collect(recording("a.wav", (BARK,)), Path.cwd()))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]  # type: ignore[index]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert page.count("</script>") == 3
    assert "@@" not in page
    assert re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page) == ["data:,"]


def test_the_licence_of_the_library_is_in_the_page():
    page = page_of(collect(recording("a.wav", (BARK,)), Path.cwd()))
    assert "The MIT License (MIT)\n\nCopyright (c) 2022 Leon Sorokin" in page
    assert "https://github.com/leeoniya/uPlot (v1.6.32)" in page


def test_the_command_makes_a_page_of_results(cedtag, sounds):
    assert cedtag("sounds", "-o", "tags.json", "-t", 0.5).code == 0
    done = cedtag("report", "tags.json", "-o", "pages/report.html", "--title", "Noise")
    assert (done.code, done.stdout) == (0, b"")
    assert done.stderr.endswith(" MB; open it in a browser\n")
    data = data_of(Path("pages/report.html").read_text())
    assert (data["title"], len(data["names"])) == ("Noise", 4)
    assert data["links"][0] == "../sounds/a.wav"
    assert data["settings"]["window"] == 10.0


def test_the_command_refuses_what_it_cannot_do(cedtag, sounds):
    Path("empty.json").write_text('{"schema": "cedtag/1", "settings": {}, "recordings": []}')
    assert "no recording is named there" in cedtag("report", "empty.json", "-o", "r.html").stderr
    Path("alone.csv").write_text("file,start,end,rank,index,mid,label,score\n")
    assert "which the page needs" in cedtag("report", "alone.csv", "-o", "r.html").stderr
    assert not Path("r.html").exists()
    Path("r.html").write_text("mine")
    assert cedtag("sounds/c.ogg", "-o", "tags.csv").code == 0
    assert "use --overwrite" in cedtag("report", "tags.csv", "-o", "r.html").stderr
    assert Path("r.html").read_text() == "mine"
    assert cedtag("report", "tags.csv", "-o", "r.html", "--overwrite").code == 0
    assert cedtag("report", "missing.csv", "-o", "s.html").code == 2
