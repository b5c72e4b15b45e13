"""Every setting decides what a run gives, or is known to change nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from cedtag.checkpoints.locate import Checkpoint, resolve
from cedtag.events.settings import EventSettings
from cedtag.inputs.clock import Clock
from cedtag.inputs.search import Search
from cedtag.inputs.window_settings import WindowSettings
from cedtag.labels.table import Label, labels_of
from cedtag.labels.tag_filter import TagFilter
from cedtag.model.config import CedConfig
from cedtag.run.cluster import Cluster
from cedtag.run.outputs.destination import Destination
from cedtag.run.plan import scoring_of
from cedtag.run.settings import Reading, RunSettings, differences, identity, run_differences
from cedtag.scoring import Compute, LoadedModel
from cedtag.writers.run_info import RunInfo
from tests.archive import StubScorer
from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from pathlib import Path

USUAL = RunSettings(windows=WindowSettings(1.0), events=EventSettings(), clock=Clock("name"), tags=TagFilter())
# Another value for every setting that decides results. Labels are indices of the stub's five.
DECIDES: dict[str, Any] = {
    "reading.raw": "s16le,16000,1",
    "reading.channel": "2",
    "reading.track": "eng",
    "reading.from_s": 1.0,
    "reading.to_s": 2.0,
    "windows.window_s": 0.5,
    "windows.hop_s": 0.5,
    "windows.overlap": "50%",
    "windows.refine_s": 0.5,
    "windows.frames": True,
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
    "tags.label_names": {"speech": "Sprache"},
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
    # where that is done
    *(f"cluster.{name.name}" for name in fields(Cluster)),
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

    def score_columns(self, windows: object) -> None:
        """So that frames can be asked for."""


def every_setting() -> set[str]:
    groups = {
        entry.name: getattr(USUAL, entry.name)
        for entry in fields(RunSettings)
        if is_dataclass(getattr(USUAL, entry.name))
    }
    assert {type(group) for group in groups.values()} == {
        *(Search, Reading, WindowSettings, TagFilter, EventSettings, Clock, Destination, Compute, Cluster)
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


def copy_of_the_checkpoint(folder: Path) -> Path:
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        if (CHECKPOINT / name).exists():
            shutil.copy(CHECKPOINT / name, folder / name)
    return folder


def model_identity(folder: Path) -> dict[str, Any]:
    checkpoint = resolve(str(folder))
    model = LoadedModel(checkpoint, StubScorer())
    if checkpoint.config is not None:
        model.scorer.labels = labels_of(CedConfig.from_file(checkpoint.config).id2label)
    made = identity(USUAL, scoring_of(USUAL, model.scorer), model)
    return {name: made[name] for name in ("weights", "config", "preprocessor")}


def edit(file: Path, **changes: object) -> None:
    values = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(values | changes, indent=7, sort_keys=True))


@pytest.mark.parametrize(
    ("name", "changes", "differs"),
    [
        ("config.json", {"num_heads": 4}, {"config"}),
        ("config.json", {"target_length": 500}, {"config"}),
        ("config.json", {"label": "Another"}, {"config"}),
        ("preprocessor_config.json", {"f_max": 7000}, {"preprocessor"}),
        ("preprocessor_config.json", {"f_min": 50.5}, {"preprocessor"}),
        ("config.json", {}, set()),  # laid out in another way
        ("config.json", {"transformers_version": "9.9", "drop_rate": 0.5, "f_max": 8000.0}, set()),
        ("preprocessor_config.json", {"f_max": 8000.0, "return_attention_mask": True}, set()),
    ],
)
def test_the_numbers_and_classes_of_a_model_are_part_of_it(tmp_path, name, changes, differs):
    folder = copy_of_the_checkpoint(tmp_path / "model")
    before = model_identity(folder)
    if "label" in changes:
        labels = CedConfig.from_file(folder / name).id2label
        changes = {"id2label": labels | {0: changes["label"]}, "label2id": None}
    edit(folder / name, **changes)
    if "preprocessor" in differs:  # whose values are in the config, too
        edit(folder / "config.json", **changes)
    after = model_identity(folder)
    assert {key for key in before if before[key] != after[key]} == differs


def test_the_front_end_is_the_same_from_either_file(tmp_path):
    folder = copy_of_the_checkpoint(tmp_path / "model")
    before = model_identity(folder)
    (folder / "preprocessor_config.json").unlink()
    assert model_identity(folder) == before


def test_older_journals_that_do_not_hold_the_config_go_on_if_their_classes_are_the_same():
    now = {"weights": "1", "config": "2", "preprocessor": "3"}
    older = {"weights": "1"}
    labels = (Label(0, "", "a"),)
    for one, other in ((older, now), (now, older)):
        assert run_differences(RunInfo(one, labels), RunInfo(other, labels)) == []
        changed = run_differences(RunInfo(one, labels), RunInfo(other, (Label(0, "", "b"),)))
        assert changed == ["the classes of the model were others"]
    assert differences(now, now | {"config": "4"}) == ["`config` was 2 and is now 4"]


def test_differences_name_what_differs():
    assert differences({"top-k": 5, "raw": None}, {"top-k": 3, "raw": None, "refine": 2}) == [
        "`top-k` was 5 and is now 3",
        "`refine` was None and is now 2",
    ]
