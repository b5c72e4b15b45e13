"""`cedtag evaluate`: measures of a model, or of existing results, on labelled recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.evaluate.options import (
    compute_options,
    data_options,
    evaluation_options,
    progress_options,
    report_options,
)
from cedtag.cli.shared.common_options import note_written
from cedtag.cli.shared.compute_options import cluster_options
from cedtag.cli.shared.failures import DONE
from cedtag.cli.shared.options import Option, SectionedCommand, model_options

if TYPE_CHECKING:
    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.cli.shared.options import Logging
    from cedtag.evaluation.settings import EvaluationSettings, ReportFiles
    from cedtag.inputs.data_settings import DataSettings
    from cedtag.run.cluster import Cluster
    from cedtag.scoring import Compute


@click.command("evaluate", cls=SectionedCommand)
@click.argument("data", type=click.Path(path_type=Path))
@data_options
@click.option(
    "--scores",
    "results",
    cls=Option,
    section="Data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Evaluate these results (csv, tsv, jsonl, json, a journal, or a folder of them) instead of a model.",
)
@model_options
@evaluation_options
@report_options
@compute_options
@cluster_options
@progress_options
def command(
    data: Path,
    selection: DataSettings,
    results: Path | None,
    choice: ModelChoice,
    settings: EvaluationSettings,
    files: ReportFiles,
    compute: Compute,
    cluster: Cluster,
    logging: Logging,
) -> int:
    """Evaluate a model, or existing results, on labelled recordings.

    DATA is a folder with one sub-folder per class, a manifest, or AudioSet's segment list. A manifest is a CSV or TSV
    file with the columns file,labels and, where needed, start, end (seconds) and fold; several labels are separated by
    ";". The clips of a segment list lie below --audio under their YouTube names.

    \b
    cedtag evaluate -m base esc50.csv --fold 5 --skip-unknown
    cedtag evaluate -m my-birds birds/ --thresholds t.csv
    cedtag new/ -m my-birds -t @t.csv
    cedtag evaluate --scores tags.jsonl data.csv -f json
    """
    from cedtag.cli.evaluate.run import evaluate_model
    from cedtag.cli.shared.data import say_what_is_left_out
    from cedtag.evaluation.report import FORMATS
    from cedtag.evaluation.run import check_possible, check_report_files, evaluate_results, inputs_of, write_evaluation
    from cedtag.inputs.manifest import read_data

    check_possible(files)
    settings = replace(settings, cluster=cluster)
    labelled = read_data(data, selection)
    if not logging.quiet:
        say_what_is_left_out(data)
    check_report_files(files, inputs_of(labelled, results, model=None if results else choice.model))
    code = DONE
    if results is None:
        evaluation, code = evaluate_model(labelled, choice, compute, settings, logging)
    else:
        evaluation = evaluate_results(labelled, results, settings)
    write_evaluation(evaluation, files)
    if files.measures is None:
        click.echo(FORMATS[files.format_name](evaluation.report), nl=False)
    written = [file for file in (files.measures, files.thresholds, files.plot) if file is not None]
    note_written(written, f"{evaluation.report.num_clips:,} clips")
    return code
