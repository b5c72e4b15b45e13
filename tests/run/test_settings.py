"""Every setting decides what a run gives, or is known to change nothing."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from cedtag.checkpoints.locate import Checkpoint
from cedtag.events.settings import EventSettings
from cedtag.inputs.clock import Clock
from cedtag.inputs.search import Search
from cedtag.inputs.window_settings import WindowSettings
from cedtag.labels.tag_filter import TagFilter
from cedtag.run.archive import scoring_of
from cedtag.run.outputs.destination import Destination
from cedtag.run.settings import Reading, RunSettings, differences, identity
from cedtag.scoring import Compute, LoadedModel
from tests.archive import StubScorer
from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from pathlib import Path

USUAL = RunSettings(windows=WindowSettings(1.0), events=EventSettings(), clock=Clock("name"), tags=TagFilter())
# Another value for every setting that decides results. Labels are indices of the stub's five.
DECIDES: dict[str, Any] = {
    "reading.raw": "s16le,16000,1",
    "windows.window_s": 0.5,
    "windows.hop_s": 0.5,
    "windows.overlap": "50%",
    "windows.refine_s": 0.5,
    "tags.labels": ("Speech",),
    "tags.exclude": ("Speech",),
    "tags.watch": ("Speech",),
    "tags.threshold": 0.7,
    "tags.thresholds": {0: 0.7},
    "tags.top_k": 3,
    "tags.group": True,
    "tags.depth": 1,
    "tags.most_specific": True,
    "tags.where": "Speech > 0.5",
    "clock.start_time": "metadata",
    "clock.timezone": "+02:00",
    "compute.backend": "another",
    "compute.device": "another",
    "compute.precision": "another",
    "compute.batch_size": 7,
}
HARMLESS = {
    # which recordings are taken, and how many at once
    *("search.recursive", "search.include_globs", "search.exclude_globs", "search.shard"),
    *("compute.jobs", "compute.threads"),
    # a recording that was given up stays marked as such, whatever the limit was
    "reading.timeout_s",
    # events are made of the rows that are kept: the journal holds theirs apart
    *(f"events.{name.name}" for name in fields(EventSettings)),
    # where results go
    *(f"destination.{name.name}" for name in fields(Destination)),
}


class ObedientScorer(StubScorer):
    """A scorer that tells what it was loaded with, as real ones do."""

    def __init__(self, compute: Compute) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "backend": compute.backend,
            "device": compute.device,
            "precision": compute.precision,
            "batch-size": compute.batch_size,
        }


def every_setting() -> set[str]:
    groups = {
        entry.name: getattr(USUAL, entry.name)
        for entry in fields(RunSettings)
        if is_dataclass(getattr(USUAL, entry.name))
    }
    assert {type(group) for group in groups.values()} == {
        *(Search, Reading, WindowSettings, TagFilter, EventSettings, Clock, Destination, Compute)
    }
    return {f"{name}.{entry.name}" for name, group in groups.items() for entry in fields(group)}


def identity_of(settings: RunSettings, weights: Path = CHECKPOINT / "model.safetensors") -> dict[str, Any]:
    scorer = ObedientScorer(settings.compute)
    model = LoadedModel(Checkpoint("stub", None, None, weights, None), scorer)
    return identity(settings, scoring_of(settings, scorer), model)


def test_every_setting_decides_results_or_is_harmless():
    assert every_setting() == DECIDES.keys() | HARMLESS
    assert not DECIDES.keys() & HARMLESS


@pytest.mark.parametrize("name", DECIDES)
def test_what_decides_results_is_part_of_the_identity_of_a_run(name):
    group, setting = name.split(".")
    before = replace(USUAL, tags=TagFilter(labels=("Speech",))) if name == "tags.group" else USUAL
    after = replace(before, **{group: replace(getattr(before, group), **{setting: DECIDES[name]})})
    assert identity_of(before) != identity_of(after)


def test_onsets_decide_where_windows_are_refined():
    refined = replace(USUAL, windows=WindowSettings(1.0, refine_s=0.5))
    other = replace(refined, events=EventSettings(0.7))
    assert identity_of(refined)["refine"] != identity_of(other)["refine"]


def test_the_weights_themselves_are_part_of_it(tmp_path):
    other = tmp_path / "model.safetensors"
    other.write_bytes((CHECKPOINT / "model.safetensors").read_bytes() + b" ")
    assert identity_of(USUAL)["weights"] != identity_of(USUAL, other)["weights"]


def test_differences_name_what_differs():
    assert differences({"top-k": 5, "raw": None}, {"top-k": 3, "raw": None, "refine": 2}) == [
        "`top-k` was 5 and is now 3",
        "`refine` was None and is now 2",
    ]
