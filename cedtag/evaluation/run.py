"""Evaluating a model or existing results, and writing the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.evaluation import metrics, plot
from cedtag.evaluation.report import FORMATS, Report, thresholds_csv
from cedtag.evaluation.scores import score_examples, scores_of_results
from cedtag.evaluation.settings import EvaluationSettings
from cedtag.inputs.manifest import require_audio
from cedtag.inputs.window_settings import WindowSettings
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cedtag.evaluation.scores import Predictions
    from cedtag.evaluation.settings import ReportFiles
    from cedtag.inputs.manifest import LabelledData
    from cedtag.scoring import LoadedModel


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A report, and the predictions whose measures it holds."""

    report: Report
    predictions: Predictions


def evaluate(
    data: LabelledData,
    model: LoadedModel,
    settings: EvaluationSettings | None = None,
    on_clip: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Evaluate a model on labelled recordings: see `read_data`. `on_clip` is called after each clip.

    Raises InputError for data without recordings, labels that the model does not have and windows that it does not
    take, AudioError for a recording that cannot be decoded, and CedtagError without scikit-learn.
    """
    settings = settings or EvaluationSettings()
    metrics.require_scikit_learn()
    require_audio(data.path, data.examples)
    scorer = model.scorer
    window, _ = WindowSettings(settings.window_s).in_samples(scorer.shortest_window, scorer.longest_window)
    predictions = score_examples(
        data.examples,
        scorer,
        window=window,
        jobs=settings.jobs or usable_cpus(),
        skip_unknown=settings.skip_unknown,
        on_clip=on_clip,
    )
    made_by = {"model": model.checkpoint.name, "commit": model.checkpoint.commit}
    return _measured(data, predictions, made_by, settings.resamples)


def evaluate_results(data: LabelledData, results: Path, settings: EvaluationSettings | None = None) -> Evaluation:
    """Evaluate existing results, as `read_results` reads them, against labelled recordings.

    Of the settings only `resamples` matters here. Raises InputError for results that have nothing to do with the data,
    and CedtagError without scikit-learn.
    """
    settings = settings or EvaluationSettings()
    metrics.require_scikit_learn()
    predictions = scores_of_results(data.examples, results)
    return _measured(data, predictions, {"scores": str(results)}, settings.resamples)


def check_possible(files: ReportFiles) -> None:
    """InputError or CedtagError for an evaluation that could not be finished, before any work."""
    metrics.require_scikit_learn()
    if files.plot:
        plot.check_plot_file(files.plot)


def write_evaluation(evaluation: Evaluation, files: ReportFiles) -> None:
    """Write each of the files that are asked for, whole or not at all."""
    if files.measures:
        _write(files.measures, FORMATS[files.format_name](evaluation.report))
    if files.thresholds:
        _write(files.thresholds, thresholds_csv(evaluation.report.classes))
    if files.plot:
        plot.draw_predictions(evaluation.predictions, files.plot)


def _measured(
    data: LabelledData, predictions: Predictions, made_by: dict[str, str | None], resamples: int
) -> Evaluation:
    truth, scores = predictions.truth, predictions.scores
    classes = metrics.measure_classes(truth, scores, list(predictions.classes))
    measures = metrics.measure_all(truth, scores, resamples)
    about = {"data": str(data.path), "folds": list(data.folds), **made_by}
    return Evaluation(Report(about, len(data.examples), measures, classes, predictions.notes), predictions)


def _write(file: Path, text: str) -> None:
    with writing(file), writing_whole(file) as out:
        out.write(text.encode())
