"""The options of storing views, gathered into the values that the library takes."""

from __future__ import annotations

from pathlib import Path

import click

from cedtag.cli.evaluate.options import data_options
from cedtag.cli.shared.compute_options import cluster_options, device_option, jobs_option
from cedtag.cli.shared.options import Option, bundled, gathered, option
from cedtag.distill.settings import (
    DEFAULT_TOP_K,
    DistillStoreCompute,
    DistillStoreSettings,
    PartChoice,
    TeacherChoice,
    ViewSettings,
)
from cedtag.inputs.search import parse_shard

teacher_options = gathered(
    "choice",
    TeacherChoice,
    (
        "Teachers",
        [
            option(
                "models",
                "-m",
                "--model",
                metavar="NAME",
                help="A teacher: tiny, mini, small or base; owner/repo[@revision] on the Hub; a folder; repeatable.",
            ),
            option("offline", "--offline", help="Never use the network."),
            option(
                "cache_dir",
                "--cache-dir",
                type=click.Path(file_okay=False, path_type=Path),
                metavar="DIR",
                help="Folder for downloaded checkpoints.",
            ),
        ],
    ),
)

output_option = click.option(
    "-o",
    "--output",
    cls=Option,
    section="Output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of the store, of some 0.3 % of the recordings' PCM.",
)

_view_options = gathered(
    "views",
    ViewSettings,
    (
        "Views",
        [
            option("epochs", "--epochs", type=click.IntRange(1), metavar="N", help="Views of each clip."),
            option(
                "top_k",
                "-k",
                "--top-k",
                type=click.IntRange(1),
                metavar="N",
                help=f"Classes kept of each view.  [default: {DEFAULT_TOP_K}, or all of fewer]",
            ),
            option(
                "chunk_s",
                "--chunk",
                type=click.FloatRange(0, min_open=True),
                metavar="S",
                help="Length in seconds of the clips that recordings are cut into.",
            ),
            option("seed", "--seed", type=click.IntRange(0), metavar="N", help="Equal seeds give equal views."),
        ],
    ),
)

_compute_options = gathered(
    "compute",
    DistillStoreCompute,
    (
        "Compute",
        [
            device_option,
            option(
                "precision",
                "--precision",
                type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
                help="Numbers that the teachers compute with; fp16 needs a GPU, bf16 one or a newer CPU.",
            ),
            jobs_option,
            option(
                "threads",
                "--threads",
                type=click.IntRange(min=1),
                metavar="N",
                help="Threads that ask the teachers.  [default: cores + 1]",
            ),
        ],
    ),
)


_part_options = gathered(
    "parts",
    PartChoice,
    (
        "Output",
        [
            option(
                "shard",
                "--shard",
                parse=lambda text: {"shard": parse_shard(text) if text else None},
                metavar="I/N",
                help="Make the I-th of N shares of the parts.",
            ),
            option("retry_failed", "--retry-failed", help="Make parts again in which a recording failed."),
        ],
    ),
)

store_options = bundled(
    "settings", DistillStoreSettings, data_options, _view_options, _part_options, _compute_options, cluster_options
)
