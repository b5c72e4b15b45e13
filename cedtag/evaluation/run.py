"""Evaluating a model or existing results, and writing the report."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from cedtag.audio import AUDIO_SUFFIXES
from cedtag.checkpoints.locate import files_at
from cedtag.errors import InputError
from cedtag.evaluation import metrics, plot
from cedtag.evaluation.recipe import clip_recipe, clip_work
from cedtag.evaluation.report import FORMATS, Report, thresholds_csv
from cedtag.evaluation.scores import score_examples, scores_of_results
from cedtag.evaluation.settings import EvaluationSettings
from cedtag.inputs.manifest import require_audio
from cedtag.inputs.segments import segmented
from cedtag.inputs.window_settings import WindowSettings
from cedtag.results.read import result_files
from cedtag.run.engines import outcomes_by
from cedtag.run.outputs.files import journal_beside
from cedtag.run.outputs.places import check_streams
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.destinations import OutputPath, check_outputs
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cedtag.evaluation.metrics import Vector
    from cedtag.evaluation.scores import Predictions
    from cedtag.evaluation.settings import ReportFiles
    from cedtag.inputs.manifest import LabelledData
    from cedtag.inputs.segments import ReadClips
    from cedtag.scoring import LoadedModel


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A report, the predictions whose measures it holds, and the files that it was made of."""

    report: Report
    predictions: Predictions
    inputs: Sequence[str] = field(default=(), repr=False)


def evaluate(
    data: LabelledData,
    model: LoadedModel,
    settings: EvaluationSettings | None = None,
    on_clip: Callable[[], object] = lambda: None,
    on_recording: Callable[[ReadClips[Vector]], object] = lambda read: None,
    *,
    on_actors: Callable[[int, int], object] = lambda at_work, number: None,
) -> Evaluation:
    """Evaluate a model on labelled recordings: see `read_data`. `on_clip` is called after each clip, from any thread.

    Recordings that cannot be decoded and clips that are cut are left out; `on_recording` is called with the outcome of
    each recording, and `evaluation.predictions.recordings` counts them. On a cluster clips are counted when all of
    their recording have come, and `on_actors` is told how many actors are at work, of how many. Raises InputError for
    data without recordings, labels that the model does not have and windows that it does not take, AudioError where no
    clip is left, or without `data.keep_going` where one is left out, and CedtagError without scikit-learn.
    """
    settings = settings or EvaluationSettings()
    metrics.require_scikit_learn()
    settings.cluster.check_installed()
    require_audio(data.path, data.examples)
    scorer, cluster = model.scorer, settings.cluster
    window, _ = WindowSettings(settings.window_s).in_samples(scorer.shortest_window, scorer.longest_window)

    def add(read: ReadClips[Vector]) -> None:
        on_recording(read)
        for value in () if cluster.is_local else read.values:
            if value is not None:
                on_clip()

    with ThreadPoolExecutor(settings.jobs or usable_cpus(), initializer=scorer.prepare_thread) as pool:
        here = clip_work(scorer, window, pool, on_clip).outcomes
        recipe = partial(clip_recipe, model, window, settings.jobs)
        predictions = score_examples(
            data.examples,
            scorer.labels,
            outcomes_by(cluster, segmented(data.examples), here, recipe, on_actors),
            skip_unknown=settings.skip_unknown,
            keep_going=data.keep_going,
            on_recording=add,
        )
    made_by = {
        "model": model.checkpoint.name,
        "commit": model.checkpoint.commit,
        "backend": str(scorer.settings["backend"]),
        "device": scorer.device,
        "precision": scorer.precision,
    }
    return _measured(data, predictions, made_by, settings.resamples, inputs_of(data, model=model.checkpoint.name))


def evaluate_results(data: LabelledData, results: Path, settings: EvaluationSettings | None = None) -> Evaluation:
    """Evaluate existing results, as `read_results` reads them, against labelled recordings.

    Of the settings only `resamples` matters here. Raises InputError for results that have nothing to do with the data,
    and CedtagError without scikit-learn.
    """
    settings = settings or EvaluationSettings()
    if not settings.cluster.is_local:
        raise InputError("`engine` ray scores recordings with a model, and `scores` are there already; leave one out")
    metrics.require_scikit_learn()
    predictions = scores_of_results(data.examples, results)
    return _measured(data, predictions, {"scores": str(results)}, settings.resamples, inputs_of(data, results))


def inputs_of(data: LabelledData, results: Path | None = None, *, model: str | None = None) -> list[str]:
    """The files that an evaluation reads: the data, and results with the journal beside them or a model."""
    files = [] if results is None else result_files(results)
    beside = [journal_beside(file) for file in files]
    return [*data.files(), *map(str, files + beside), *(map(str, files_at(model)) if model else ())]


def check_possible(files: ReportFiles) -> None:
    """InputError or MissingPackageError for an evaluation that could not be finished, before any work."""
    metrics.require_scikit_learn()
    if files.plot:
        plot.check_plot_file(files.plot)


def check_report_files(files: ReportFiles, inputs: Sequence[str]) -> None:
    """InputError or OutputError for a file that may not be written, such as one of the inputs, or cannot be."""
    named = {"measures": files.measures, "thresholds": files.thresholds, "plot": files.plot}
    outputs = [OutputPath(path, name) for name, path in named.items() if path]
    check_streams(outputs)
    check_outputs(outputs, inputs, overwrite=files.overwrite, input_suffixes=AUDIO_SUFFIXES)


def write_evaluation(evaluation: Evaluation, files: ReportFiles) -> None:
    """Write each of the files that are asked for, whole or not at all.

    Raises InputError for a file that the evaluation was made of, and for one that is named twice, and OutputError for
    one that exists, unless `files.overwrite`, or cannot be written. Nothing is written then.
    """
    check_report_files(files, evaluation.inputs)
    if files.measures:
        _write(files.measures, FORMATS[files.format_name](evaluation.report))
    if files.thresholds:
        _write(files.thresholds, thresholds_csv(evaluation.report.classes))
    if files.plot:
        plot.draw_predictions(evaluation.predictions, files.plot)


def _measured(
    data: LabelledData,
    predictions: Predictions,
    made_by: Mapping[str, str | None],
    resamples: int,
    inputs: Sequence[str],
) -> Evaluation:
    truth, scores = predictions.truth, predictions.scores
    classes = metrics.measure_classes(truth, scores, list(predictions.classes))
    measures = metrics.measure_all(truth, scores, resamples)
    about: dict[str, object] = {"data": str(data.path), "folds": list(data.folds), **made_by}
    if predictions.recordings:
        about["recordings"] = dict(predictions.recordings)
    return Evaluation(Report(about, len(truth), measures, classes, predictions.notes), predictions, inputs)


def _write(file: Path, text: str) -> None:
    with writing(file), writing_whole(file) as out:
        out.write(text.encode("utf-8", "surrogateescape"))
