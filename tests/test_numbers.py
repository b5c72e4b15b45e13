"""Settings refuse numbers that cannot be meant, wherever they come from."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from cedtag.cli import cli
from cedtag.cli.shared.options import Option
from cedtag.distill.settings import DistillStoreCompute, ViewSettings
from cedtag.distill.student_settings import ViewChoice
from cedtag.errors import InputError
from cedtag.evaluation.settings import EvaluationSettings
from cedtag.events.settings import EventSettings
from cedtag.inputs.window_settings import WindowSettings
from cedtag.labels.tag_filter import TagFilter
from cedtag.report import PageSettings
from cedtag.results.clip_settings import ClipSettings
from cedtag.run.cluster import Cluster
from cedtag.run.settings import Reading
from cedtag.scoring import Compute
from cedtag.training.settings import Augment, Recipe, Teachers, TrainingCompute, TrainingFolder, Validation

SETTINGS = (
    Augment,
    ClipSettings,
    Cluster,
    Compute,
    DistillStoreCompute,
    EvaluationSettings,
    EventSettings,
    PageSettings,
    Reading,
    Recipe,
    TagFilter,
    Teachers,
    TrainingCompute,
    TrainingFolder,
    Validation,
    ViewChoice,
    ViewSettings,
    WindowSettings,
)
# Any number of tags, clips, or levels of the ontology from some small one on is all of them.
UNBOUNDED = {"TagFilter.top_k", "TagFilter.depth", "ClipSettings.max_per_class"}
NUMERIC = [
    pytest.param(kind, one.name, "int" in str(one.type), id=f"{kind.__name__}.{one.name}")
    for kind in SETTINGS
    for one in fields(kind)
    if {"int", "float"} & set(str(one.type).replace("|", " ").split()) and one.name != "overlap"
]


def made(kind: type[Any], **values: object) -> object:
    needed = {one.name: Path("a") for one in fields(kind) if one.default is one.default_factory is MISSING}
    return kind(**needed, **values)


@pytest.mark.parametrize(("kind", "name", "is_whole"), NUMERIC)
def test_a_number_that_is_not_finite_or_absurd_is_refused(kind, name, is_whole):
    for value in (-(10**20), 10**20) if is_whole else (math.nan, math.inf, -math.inf, 1e300, -1e300):
        if f"{kind.__name__}.{name}" in UNBOUNDED and value > 0:
            made(kind, **{name: value})
            continue
        with pytest.raises(InputError):
            made(kind, **{name: value})


@pytest.mark.parametrize("crop_s", [(math.nan, 1.0), (1.0, math.inf), (0.0, 1.0), (1.0, 1e300)])
def test_a_crop_that_is_not_finite_is_refused(crop_s):
    with pytest.raises(InputError, match="crop_s"):
        Augment(crop_s=crop_s)


@pytest.mark.parametrize("overlap", ["nan", "inf%", "1e999", "-1e300%", math.nan, math.inf])
def test_an_overlap_that_is_not_finite_is_refused(overlap):
    with pytest.raises(InputError, match="overlap"):
        WindowSettings(overlap=overlap).in_samples(2560, 160_000)


def numeric_options() -> list[Any]:
    found = []
    for command_name in cli.list_commands(None):
        command = cli.get_command(None, command_name)
        for option in command.params:
            kinds = getattr(option.type, "types", [option.type])
            if any(kind.name.startswith(("float", "integer")) for kind in kinds):
                found.append(
                    pytest.param(command_name, option.long_name, len(kinds), id=f"{command_name} {option.name}")
                )
                assert isinstance(option, Option)
    return found


@pytest.mark.parametrize(("command", "option", "count"), numeric_options())
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "1e300", "9" * 5000, "-1", "", "x"])
def test_options_refuse_such_numbers_before_anything_is_done(
    cedtag, tmp_path, monkeypatch, command, option, count, value
):
    monkeypatch.chdir(tmp_path)
    Path("a.wav").touch()
    needed = {"finetune": ["data", "-o", "model"], "extract": ["rows.csv", "-o", "clips"], "merge": ["a", "-o", "b"]}
    needed |= {"report": ["rows.csv", "-o", "page.html"], "convert": ["rows.csv"], "evaluate": ["data"]}
    done = cedtag(command, *needed.get(command, ["a.wav"]), option, *[value] * count)
    assert done.code in (1, 2)
    assert done.stderr.startswith("cedtag: ")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
