"""What computes, with how much of the machine, and on which machines."""

from __future__ import annotations

import click

from cedtag.cli.shared.options import gathered, number_or_auto, option
from cedtag.run.cluster import Cluster
from cedtag.scoring import BACKENDS, Compute

device_option = option("device", "-d", "--device", metavar="DEVICE", help="auto, cpu, cuda[:N] or mps.")
jobs_option = option(
    "jobs",
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Recordings decoded at once.  [default: cores]",
)
scorer_options = [
    option(
        "backend",
        "--backend",
        type=click.Choice(["auto", *BACKENDS]),
        help="torch, or ONNX Runtime (CPU only); auto is torch, but onnx for int8 and without torch.",
    ),
    device_option,
    option(
        "precision",
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16", "int8"]),
        help="Numbers that the model computes with; fp16 needs a GPU, bf16 one or a newer CPU, int8 ONNX Runtime.",
    ),
]
compute_options = gathered(
    "compute",
    Compute,
    (
        "Compute",
        [
            *scorer_options,
            option(
                "batch_size",
                "-b",
                "--batch-size",
                parse=lambda text: {"batch_size": number_or_auto(text)},
                default="auto",
                show_default=True,
                metavar="N",
                help="Windows per call of the model.",
            ),
            jobs_option,
            option(
                "threads",
                "--threads",
                type=click.IntRange(min=1),
                metavar="N",
                help="Threads that score.  [default: cores + 1]",
            ),
        ],
    ),
)

cluster_options = gathered(
    "cluster",
    Cluster,
    (
        "Compute",
        [
            option(
                "engine",
                "--engine",
                metavar="WHERE",
                help="local, or ray[://HOST:PORT]: actors of a Ray cluster decode and score.",
            ),
            option(
                "actors",
                "--actors",
                type=click.IntRange(min=1),
                metavar="N",
                help="Actors of --engine ray.  [default: as many as fit]",
            ),
            option(
                "actor_cpus",
                "--actor-cpus",
                type=click.IntRange(min=1),
                metavar="N",
                help="Processors of each actor.  [default: up to 4]",
            ),
            option(
                "actor_gpus",
                "--actor-gpus",
                type=click.FloatRange(min=0),
                metavar="N",
                help="Graphics cards of each actor; a share of one, too.  [default: 1 with --device cuda]",
            ),
        ],
    ),
)
