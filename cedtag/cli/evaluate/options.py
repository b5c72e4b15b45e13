"""The options of evaluating, some of them also of training, gathered into the values that the library takes."""

from __future__ import annotations

from pathlib import Path

import click

from cedtag.cli.shared.compute_options import scorer_options
from cedtag.cli.shared.options import Logging, gathered, option
from cedtag.evaluation.report import FORMATS
from cedtag.evaluation.settings import EvaluationSettings, ReportFiles
from cedtag.inputs.data_settings import DataSettings
from cedtag.scoring import Compute

FILE = click.Path(dir_okay=False, path_type=Path)

data_options = gathered(
    "selection",
    DataSettings,
    (
        "Data",
        [
            option(
                "audio",
                "--audio",
                type=click.Path(exists=True, file_okay=False, path_type=Path),
                metavar="DIR",
                help="Folder of the recordings that a manifest or segment list names.  [default: beside the manifest]",
            ),
            option("folds", "--fold", metavar="F", help="Use only the rows of this fold; repeatable."),
            option(
                "keep_going",
                "--keep-going/--fail-fast",
                help="Leave out recordings that fail and clips that are cut, or stop at one.  [default: keep-going]",
            ),
        ],
    ),
)

evaluation_options = gathered(
    "settings",
    EvaluationSettings,
    ("Data", [option("skip_unknown", "--skip-unknown", help="Leave out labels that the model does not have.")]),
    (
        "Windows",
        [
            option(
                "window_s",
                "-w",
                "--window",
                type=float,
                metavar="S",
                help="Length of a window in seconds; a clip has the highest scores of its windows.",
            ),
        ],
    ),
    (
        "Output",
        [
            option(
                "resamples",
                "--bootstrap",
                type=click.IntRange(0),
                metavar="N",
                help="Resamples of the clips for the 95 % intervals; 0: none.",
            ),
        ],
    ),
    (
        "Compute",
        [
            option(
                "jobs",
                "-j",
                "--jobs",
                type=click.IntRange(min=1),
                metavar="N",
                help="Recordings scored at once.  [default: cores]",
            )
        ],
    ),
)

report_options = gathered(
    "files",
    ReportFiles,
    (
        "Output",
        [
            option(
                "measures",
                "-o",
                "--output",
                parse=lambda place: {"measures": None if place in (None, "-") else Path(place)},
                metavar="FILE",
                help="File of the report.  [default: standard output]",
            ),
            option(
                "format",
                "-f",
                "--format",
                type=click.Choice(list(FORMATS)),
                help="[default: by the suffix of -o, else table]",
            ),
            option(
                "thresholds",
                "--thresholds",
                type=FILE,
                metavar="FILE.csv",
                help="Write the threshold of best F1 of each class, for -t @FILE.csv.",
            ),
            option(
                "plot",
                "--plot",
                type=FILE,
                metavar="FILE",
                help="Draw precision over recall, and the confusion matrix, as .png, .svg or .pdf.",
            ),
            option("overwrite", "--overwrite", help="Replace existing files."),
        ],
    ),
)

compute_options = gathered("compute", Compute, ("Compute", scorer_options))

progress_options = gathered(
    "logging",
    Logging,
    (
        "Logging",
        [
            option("progress", "--progress/--no-progress", help="A progress bar.  [default: on a terminal]"),
            option("quiet", "-q", "--quiet", help="Print errors only."),
        ],
    ),
)
