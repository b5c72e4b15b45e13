"""The library evaluates by itself what the command line evaluates, and prints nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cedtag.checkpoints.locate import resolve
from cedtag.errors import InputError
from cedtag.evaluation.run import evaluate, evaluate_results, write_evaluation
from cedtag.evaluation.settings import EvaluationSettings, ReportFiles
from cedtag.inputs.data_settings import DataSettings
from cedtag.inputs.manifest import LabelledData, read_data
from cedtag.scoring import Compute, LoadedModel, load_model
from tests.micro import CHECKPOINT

pytest.importorskip("sklearn")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelledData:
    """Three clips of noise in a folder to stand in, one of them in another fold."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        soundfile.write(name, 0.1 * rng.standard_normal(16_000), 16_000)
    rows = "a.wav,Rain,1\nb.wav,Rain,1\nc.wav,Wind,1\nd.wav,Wind,2\n"
    Path("data.csv").write_text(f"file,labels,fold\n{rows}", encoding="utf-8")
    return read_data(Path("data.csv"), DataSettings(folds=("1",)))


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model(resolve(str(CHECKPOINT)), Compute(device="cpu"))


@pytest.mark.parametrize("suffix", ["csv", "json", "txt"])
def test_a_report_is_that_of_the_command_line(data: LabelledData, model: LoadedModel, cedtag: Any, suffix: str) -> None:
    done = cedtag("evaluate", "data.csv", "--fold", 1, "-d", "cpu", "-o", f"theirs.{suffix}", "--thresholds", "t.csv")
    assert (done.code, done.stdout) == (0, b"")
    files = ReportFiles(Path(f"ours.{suffix}"), thresholds=Path("deep/thresholds.csv"))
    write_evaluation(evaluate(data, model), files)
    assert Path(f"ours.{suffix}").read_bytes() == Path(f"theirs.{suffix}").read_bytes()
    assert Path("deep/thresholds.csv").read_bytes() == Path("t.csv").read_bytes()


def test_evaluating_prints_nothing_and_counts_clips(data: LabelledData, model: LoadedModel, capfd: Any) -> None:
    clips: list[None] = []
    evaluation = evaluate(data, model, EvaluationSettings(resamples=0, jobs=1), lambda: clips.append(None))
    assert len(clips) == evaluation.report.num_clips == len(evaluation.predictions.truth) == 3
    assert {measure.low for measure in evaluation.report.measures} == {None}
    assert capfd.readouterr() == ("", "")


def test_results_are_evaluated_without_a_model(data: LabelledData) -> None:
    rows = "a.wav,0,1,1,0,,Rain,0.9\nb.wav,0,1,1,0,,Rain,0.8\nc.wav,0,1,1,1,,Wind,0.7\n"
    Path("rows.csv").write_text(f"file,start,end,rank,index,mid,label,score\n{rows}", encoding="utf-8")
    report = evaluate_results(data, Path("rows.csv"), EvaluationSettings(resamples=10)).report
    assert report.about == {"data": "data.csv", "folds": ["1"], "scores": "rows.csv"}
    assert [(measure.value, measure.high) for measure in report.measures if measure.name == "mAP"] == [(1.0, 1.0)]


def test_a_window_that_the_model_does_not_take_is_an_error(data: LabelledData, model: LoadedModel) -> None:
    with pytest.raises(InputError, match="`window_s` 60: this model takes"):
        evaluate(data, model, EvaluationSettings(window_s=60))


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (ReportFiles(), "table"),
        (ReportFiles(Path("a.JSON")), "json"),
        (ReportFiles(Path("a.txt")), "table"),
        (ReportFiles(Path("a.json"), "csv"), "csv"),
    ],
)
def test_the_format_is_the_one_asked_for_or_that_of_the_suffix(files: ReportFiles, name: str) -> None:
    assert files.format_name == name
