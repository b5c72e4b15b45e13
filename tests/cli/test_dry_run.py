"""`--dry-run` says what a run would do, and does nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.archive import StubScorer, stub_tagger

LOADED: list[str] = []


@pytest.fixture
def load_tagger():
    load = stub_tagger(StubScorer())

    def noted(choice, compute, **options):
        LOADED.append(choice.model)
        return load(choice, compute, **options)

    LOADED.clear()
    return noted


@pytest.fixture
def planned(cedtag, sounds, tmp_path):
    """What a dry run prints of each subject, once it is certain that it did nothing."""

    def plan(*args: object, code: int = 0) -> dict[str, str]:
        before, loaded = files(tmp_path), list(LOADED)
        done = cedtag(*args, "--dry-run")
        assert (done.code, files(tmp_path), loaded) == (code, before, LOADED)
        return dict(line.split("  ", 1) for line in done.lines)

    return plan


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def stripped(plan: dict[str, str]) -> dict[str, str]:
    return {subject.strip(): text.strip() for subject, text in plan.items()}


@pytest.mark.parametrize("place", ["tags.csv", "labels/"])
def test_what_is_left_and_what_is_done_are_counted_with_hours(cedtag, planned, sounds, place):
    made = ["-o", place, *(["-f", "csv"] if place.endswith("/") else [])]
    fresh = stripped(planned("sounds", *made))
    assert fresh["to tag"] == "4 recordings: 16.1 s of audio"
    assert fresh["output"] == place
    assert cedtag("sounds/a.wav", "sounds/c.ogg", "-q", "-o", "some.csv").code == 0
    assert cedtag("sounds", "--exclude-glob", "b", "-q", *made).code == 0
    rest = stripped(planned("sounds", *made))
    assert (rest["to tag"], rest["done earlier"]) == ("2 recordings: 3.1 s of audio", "2")
    assert stripped(planned("sounds", *made, "--overwrite"))["to tag"] == fresh["to tag"]
    assert cedtag("sounds", "-q", *made).code == 0
    assert stripped(planned("sounds", *made))["to tag"] == "nothing"


def test_what_failed_is_tried_again_where_that_is_asked_for(cedtag, planned, sounds):
    (sounds / "bad.wav").write_text("no audio\n")
    assert cedtag("sounds", "-q", "-o", "tags.csv").code == 3
    assert stripped(planned("sounds", "-o", "tags.csv"))["failed earlier"] == "1; --retry-failed tries them again"
    retried = stripped(planned("sounds", "-o", "tags.csv", "--retry-failed"))
    assert retried["to tag"].startswith("1 recording of 0.0 kB, whose length is not known")


def test_the_time_is_that_of_a_run_that_was_measured(cedtag, planned, sounds):
    assert "time" not in stripped(planned("sounds", "-o", "tags.csv"))
    Path("counts.json").write_text(json.dumps({"speed": 2.0}))
    made = stripped(planned("sounds", "--summary", "counts.json", "--overwrite"))
    assert made["time"] == "about 8.1 s, at the 2x realtime of the run in counts.json"


def test_a_missing_file_is_named_and_counted(planned, sounds):
    assert stripped(planned("sounds", "gone.wav", code=3))["not readable"] == "1"
    assert planned("gone.wav", code=3) == {}
    (sounds.parent / "empty").mkdir()
    assert planned("empty", code=4) == {}


@pytest.mark.parametrize("args", [["sounds", "-o", "sounds/a.wav"], ["sounds", "-m", "no such model"]])
def test_what_the_run_would_refuse_is_refused(cedtag, sounds, args):
    done = cedtag(*args, "--dry-run")
    assert done.code in (1, 2)
    assert done.stderr.count("\n") == 1


def test_events_have_a_dry_run_too(planned, sounds):
    assert stripped(planned("events", "sounds/a.wav"))["to tag"] == "1 recording: 12.0 s of audio"


def test_raw_samples_have_a_length(planned, sounds):
    Path("a.pcm").write_bytes(bytes(64_000))
    assert stripped(planned("a.pcm", "--raw", "s16le,16000,1"))["to tag"] == "1 recording: 2.0 s of audio"
