from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cedtag.cli import run
from tests.archive import make_archive, stub_tagger
from tests.micro import CHECKPOINT
from tests.scored import AudioSetScorer

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.cli.tag.run import LoadTagger
    from tests.conftest import Finished

pytest.importorskip("pyarrow")

# How stores are scored.
SCORED = {
    "apart": ["-w", "0.2"],
    "overlapping": ["-w", "0.2", "--hop", "0.06"],
    "channels": ["-w", "0.2", "--hop", "0.1", "--channel", "each"],
}
NAMES = ("Dog", "Bark", "Animal", "Speech", "Siren", "Music", "Domestic animals, pets")
FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "spreadsheet", "audacity", "raven", "rttm", "dcase", "birdnet")


@pytest.fixture
def load_tagger() -> LoadTagger:
    return stub_tagger(AudioSetScorer())


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> Path:
    """A folder with an archive, of which some recordings fail or are partial, and a store for each way to score it."""
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_archive(Path("archive"), 12)
        stereo = 0.1 * np.random.default_rng(1).standard_normal((9600, 2))
        soundfile.write("archive/20240501_053000.wav", stereo, 16_000)
        patch.setenv("CEDTAG_MODEL", str(CHECKPOINT))
        for name, how in SCORED.items():
            to = ["-q", "--store", name, "--no-embeddings"]
            assert run(["tag", "archive", *how, *to], stub_tagger(AudioSetScorer())) == 3
    return folder


@dataclass
class Both:
    """Runs `tag` on the archive and `query` on a store with the same options, and compares what they leave."""

    cedtag: Callable[..., Finished]

    def same(self, store: str, *options: str) -> Finished:
        """What `query` prints, which is what `tag` prints."""
        tagged = self.cedtag("tag", "archive", *SCORED[store], *options)
        asked = self.cedtag("query", store, *options)
        assert (asked.code, asked.stdout) == (tagged.code, tagged.stdout), tagged.stderr + asked.stderr
        return asked

    def same_files(self, store: str, place: str, *options: str) -> None:
        """The files at a place are the same, and so are the exit codes."""
        for made in ("tagged", "asked"):
            shutil.rmtree(made, ignore_errors=True)
        tagged = self.cedtag("tag", "archive", *SCORED[store], *options, "--no-resume", "-o", f"tagged/{place}")
        asked = self.cedtag("query", store, *options, "-o", f"asked/{place}")
        assert asked.code == tagged.code, tagged.stderr + asked.stderr
        assert contents("asked") == contents("tagged")


def contents(folder: str) -> dict[str, bytes]:
    """The files in a folder by their names, without journals."""
    files = [path for path in Path(folder).rglob("*") if path.is_file() and path.suffix != ".journal"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def both(cedtag, stores, monkeypatch) -> Both:
    monkeypatch.chdir(stores)
    return Both(cedtag)


@st.composite
def option_sets(draw) -> list[str]:
    names = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)
    scores = st.sampled_from(["0", "0.05", "0.1", "0.3", "0.30004", "0.9"])
    group = draw(st.booleans())
    labels = draw(names) or (["Animal"] if group else [])
    chosen = [word for name in labels for word in ("--labels", name)]
    chosen += [word for name in draw(names) if name not in labels for word in ("--exclude", name)]
    chosen += [word for name in draw(names) for word in ("--watch", name)]
    chosen += [word for score in draw(st.lists(scores, max_size=1)) for word in ("-t", score)]
    chosen += [word for name in draw(names) for word in ("-t", f"{name}={draw(scores)}")]
    chosen += draw(st.sampled_from([[], [], ["-k", "0"], ["-k", "1"], ["-k", "3"]]))
    chosen += (
        ["--group"]
        if group
        else draw(st.sampled_from([[], ["--most-specific"], ["--level", "2"]] if not labels else [[]]))
    )
    chosen += draw(st.sampled_from([[], ["--where", "Dog > 0.01 or not Music < 0.3"]]))
    chosen += draw(st.sampled_from([[], ["--start-time", "name"]]))
    events = draw(st.booleans())
    if events:
        chosen += ["--events", *draw(st.sampled_from([[], ["--onset", "0.2"], ["--onset", "0.3", "--offset", "0.1"]]))]
        for option in ("--min-duration-on", "--min-duration-off", "--pad-onset", "--pad-offset"):
            chosen += draw(st.sampled_from([[], [], [option, "0.15"]]))
    return chosen


@pytest.mark.slow
@given(st.sampled_from(sorted(SCORED)), option_sets(), st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_query_gives_the_bytes_of_tag(both: Both, store: str, options: list[str], data: st.DataObject):
    has_channels = ("csv", "tsv", "json", "jsonl", "parquet", "raven", "rttm")
    name = data.draw(st.sampled_from(has_channels if store == "channels" else FORMATS))
    layouts = ["long"]
    if name in ("csv", "tsv", "spreadsheet"):
        layouts += ["file"] if "--events" in options else ["wide", "file"]
    if name in ("json", "jsonl"):
        layouts += ["file"]
    more = ["-f", name, "--layout", data.draw(st.sampled_from(layouts))]
    place = data.draw(st.sampled_from(["-", f"all.{name}", "folder/"]))
    if place == "-":
        both.same(store, *options, *more)
    else:
        both.same_files(store, place, *options, *more)


@pytest.mark.parametrize("store", SCORED)
@pytest.mark.parametrize(
    "options", [["-f", "json"], ["--events", "--onset", "0.3", "-f", "jsonl"], ["-t", "0", "-k", "0"]]
)
def test_all_of_a_store_is_shown_as_tagging_shows_it(both, store, options):
    assert both.same(store, *options).code == 3


def test_failures_are_listed_as_tagging_lists_them(both):
    for place in ("folder/", "all.csv"):
        both.same_files("apart", place, "-f", "csv", "--errors", "tagged-errors.jsonl", "--overwrite")
        tagged = Path("tagged-errors.jsonl").read_bytes()
        both.cedtag("query", "apart", "-o", "again.csv", "--errors", "errors.jsonl", "--overwrite")
        assert Path("errors.jsonl").read_bytes() == tagged
        assert {json.loads(line)["stage"] for line in tagged.splitlines()} == {"open", "partial"}


def test_counts_are_those_of_tagging(both):
    both.cedtag("tag", "archive", "-w", 0.2, "-o", "counted.csv", "--summary", "tagged.json", "--overwrite")
    both.cedtag("query", "apart", "-o", "asked.csv", "--summary", "asked.json", "--overwrite")
    tagged, asked = (json.loads(Path(name).read_text()) for name in ("tagged.json", "asked.json"))
    timed = ("elapsed_s", "speed", "skipped", "found")  # what is no recording is not stored
    assert {key: value for key, value in asked.items() if key not in timed} == {
        key: value for key, value in tagged.items() if key not in timed
    }


def test_hours_are_the_seconds_of_the_layout_with_a_row_per_recording(both):
    options = ["-f", "csv", "--labels", "Speech", "--labels", "Dog", "-t", "0.05"]
    hours = both.cedtag("query", "overlapping", "--hours", *options)
    files = both.cedtag("query", "overlapping", "--layout", "file", *options)
    totals = {"Speech": 0.0, "Dog": 0.0}
    for row in csv.DictReader(io.StringIO(files.stdout.decode(errors="replace"))):
        for label in totals:
            totals[label] += float(row[f"{label} (s)"] or 0)
    found = {row["label"]: float(row["seconds"]) for row in csv.DictReader(io.StringIO(hours.stdout.decode()))}
    assert found == {label: pytest.approx(total, abs=1e-6) for label, total in totals.items()}
    assert hours.code == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["query", "archive"], "archive: there is no store here"),
        (["query"], "name one store"),
        (["query", "apart", "overlapping"], "name one store"),
        (["query", "apart", "--labels", "Speach"], "did you mean"),
        (["query", "apart", "-o", "apart/tags.csv"], "apart/tags.csv: is inside of the store"),
        (["query", "apart", "-o", "x.csv", "--errors", "apart/windows/e"], "apart/windows/e: is inside of the store"),
        (["query", "apart", "--start-time", "2024-05-01"], "is that of one recording"),
        (["query", "apart", "--layout", "wide", "--events", "-f", "csv"], "--layout wide has a row per window"),
        (["query", "channels", "-f", "srt"], "no place for the channel"),
        (["query", "apart", "--by", "day"], "without start times, which --by day needs"),
        (["query", "apart", "--hours", "-f", "raven"], "--hours is written as table, csv"),
        (["query", "apart", "--hours", "-o", "folder/"], "--hours makes one table"),
        (["query", "apart", "--window", "5"], "--window is about scoring, and a store is scored"),
        (["query", "apart", "-m", "tiny"], "-m is about scoring, and a store is scored"),
        (["query", "apart", "--labls", "Dog"], "Did you mean --labels"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(both, line, said):
    done = both.cedtag(*line)
    assert done.code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_metadata_are_not_read_from_a_recording_that_is_gone(both, tmp_path, monkeypatch):
    shutil.copytree("apart", tmp_path / "apart")
    monkeypatch.chdir(tmp_path)
    done = both.cedtag("query", "apart", "--start-time", "auto")
    assert done.code == 2
    assert "is not here as it was scored" in done.stderr


def test_recordings_that_are_not_yet_in_a_part_are_told(both, tmp_path):
    shutil.copytree("apart", tmp_path / "apart")
    (tmp_path / "apart" / "open.x.log").write_bytes(b"one\ntwo\n")
    assert "has not finished, and 2 recordings" in both.cedtag("query", tmp_path / "apart").stderr
