"""`cedtag evaluate`: how good a model, or rows that were written, are on labelled recordings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cedtag.cli.shared.options import SectionedCommand, model_options, option, options_in

FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line, an attribute per option."""

    data: Path
    audio: Path | None
    folds: tuple[str, ...]
    skip_unknown: bool
    scores: Path | None
    model: str
    offline: bool
    cache_dir: str | None
    window: float
    output: str
    format: str | None
    thresholds: Path | None
    plot: Path | None
    bootstrap: int
    device: str
    precision: str
    jobs: int | None
    progress: bool | None
    quiet: bool


@click.command("evaluate", cls=SectionedCommand)
@click.argument("data", type=click.Path(path_type=Path))
@options_in(
    "Data",
    option(
        "--audio",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="Where the manifest's files are.  [default: beside it]",
    ),
    option("--fold", "folds", multiple=True, metavar="F", help="Use only the rows of this fold; repeatable."),
    option("--skip-unknown", is_flag=True, help="Leave out labels that the model does not have."),
    option("--scores", type=FILE, metavar="FILE", help="Judge these rows (csv, tsv, jsonl) instead of a model."),
)
@model_options
@options_in(
    "Windows",
    option(
        "-w",
        "--window",
        type=float,
        default=10.0,
        show_default=True,
        metavar="S",
        help="Of a clip's windows the highest score counts.",
    ),
)
@options_in(
    "Output",
    option("-o", "--output", default="-", metavar="FILE", help="Where the report goes.  [default: standard output]"),
    option(
        "-f", "--format", type=click.Choice(["table", "csv", "json"]), help="[default: by the suffix of -o, else table]"
    ),
    option(
        "--thresholds",
        type=FILE,
        metavar="FILE.csv",
        help="Write the threshold of best F1 per class, for -t @FILE.csv.",
    ),
    option(
        "--plot", type=FILE, metavar="FILE", help="Draw precision and recall, and confusions, as .png, .svg or .pdf."
    ),
    option(
        "--bootstrap",
        type=click.IntRange(0),
        default=1000,
        show_default=True,
        metavar="N",
        help="Resamples of the clips for the 95 % intervals; 0: none.",
    ),
)
@options_in(
    "Machine",
    option("-d", "--device", default="auto", show_default=True, metavar="DEVICE", help="auto, cpu, cuda[:N] or mps."),
    option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
        default="auto",
        show_default=True,
        help="Of the model; half precision needs a GPU.",
    ),
    option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Clips scored at once.  [default: cores]"),
    option("--progress/--no-progress", default=None, help="A bar.  [default: on a terminal]"),
    option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
)
def command(**options: Any) -> None:
    """Judge a model on DATA: a folder with one sub-folder per class, a manifest, or AudioSet's segment list.

    A manifest is a CSV or TSV file with the columns file,labels and, if need be, start, end (seconds) and fold; several
    labels are separated by ";". The clips of a segment list lie below --audio under their YouTube names.

    \b
    cedtag evaluate -m base esc50.csv --fold 5 --skip-unknown
    cedtag evaluate -m my-birds birds/ --thresholds t.csv     then: cedtag new/ -m my-birds -t @t.csv
    cedtag evaluate --scores tags.jsonl data.csv -f json
    """
    from cedtag.cli.evaluate.run import evaluate

    evaluate(Options(**options))
