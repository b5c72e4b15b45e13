"""Measure cedtag on this machine: `python -m benchmarks`, a few minutes; `--full` is longer and steadier.

Everything is measured in one run, in turn, and medians are shown: compare figures of one run only, and best of all its
ratios. "Passing" is the time that passed; "processor" is the time that the cores worked, divided by their number.
What is a share of the limit was measured by the limit just before and after it.

`--check` and `--store` measure what `cedtag bench` does, and nothing else.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from benchmarks import corpus, gate
from benchmarks.costs import Cost, Paced, cost_of, interleaved, middle, paced, ratio, run_alone
from benchmarks.ends import plain_loop_case, tagging_case
from benchmarks.parts import decoding_case, front_end_case, product_case, scoring_case, spectra_case
from cedtag.checkpoints.locate import resolve
from cedtag.model.config import CedConfig
from cedtag.scoring import open_scorer
from cedtag.scoring.batching import flop_per_window
from cedtag.scoring.torch_device import cpu_has_bf16
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZES = {
    "tiny": CedConfig(),
    "mini": CedConfig(embed_dim=256, num_heads=4),
    "small": CedConfig(embed_dim=384, num_heads=6),
    "base": CedConfig(embed_dim=768, num_heads=12),
}
CONTAINERS = ("wav", "flac", "ogg", "mp3")
BACKENDS = {"torch fp32": ("torch", "fp32"), "onnx fp32": ("onnx", "fp32"), "onnx int8": ("onnx", "int8")}
if HAS_BF16 := cpu_has_bf16():
    BACKENDS["torch bf16"] = ("torch", "bf16")
CPUS = usable_cpus()


@click.command(help=__doc__)
@click.option("--full", is_flag=True, help="200 files a container, a 2-hour file, all sizes.")
@click.option("--check", is_flag=True, help="Compare with a stored run on this processor; exit code 1: slower.")
@click.option("--store", is_flag=True, help="Keep a run on this processor to compare with.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Repetitions of everything.")
@click.pass_context
def main(context: click.Context, full: bool, check: bool, store: bool, rounds: int) -> None:
    if check or store:
        is_fine, sentence = gate.check() if check else (True, gate.store())
        click.echo(sentence)
        context.exit(0 if is_fine else 1)
    from importlib.metadata import version

    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "onnxruntime", "soundfile"))
    click.echo(f"{platform.machine()}, {CPUS} cores, load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}")
    click.echo(f"{packages}\n")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sizes = SIZES if full else {"tiny": SIZES["tiny"]}
        checkpoints = {name: corpus.write_checkpoint(folder / name, config) for name, config in sizes.items()}
        measure_models(checkpoints, rounds)
        measure_parts(folder, rounds)
        measure_ends(folder, checkpoints["tiny"], rounds, full=full)
        measure_start(folder, checkpoints["tiny"], rounds)


def measure_models(checkpoints: dict[str, Path], rounds: int) -> None:
    rows = []
    for size, checkpoint in checkpoints.items():
        gflop = flop_per_window(SIZES[size]) / 1e9
        cases: dict[str, Callable[[], Cost]] = {}
        for name, (backend, precision) in BACKENDS.items():
            for batch in (1, 4, 8) if backend == "torch" else (4,):
                scorer = open_scorer(resolve(f"{checkpoint}"), backend, "cpu", precision, batch)
                repeats = max(1, 8 // batch) if size == "tiny" else 1
                cases[f"{name}, {batch} a call"] = scoring_case(scorer, CPUS, repeats=repeats)
                if size == "tiny" and batch == 4:
                    cases[f"{name}, {batch} a call, hop 1 s"] = scoring_case(scorer, CPUS, 16_000)
        rows += [(size, *row) for row in against_limit(paced(rounds, product_case(gflop, CPUS), cases))]
    show(
        "Features and model, ms per window of 10 s",
        ("size", "what", "passing", "processor", "% of limit", "by processor"),
        rows,
    )


def measure_parts(folder: Path, rounds: int) -> None:
    length_s = 60
    cases = {"log-mel (torch)": front_end_case(), "power spectra (NumPy)": spectra_case()}
    for container in CONTAINERS:
        path = corpus.write_recording(folder / f"part.{container}", length_s, corpus.RATE_HZ, 2)
        cases[f"decode {container}, 44.1 kHz stereo"] = decoding_case(path, length_s)
    costs = interleaved(rounds, cases)
    rows = [(name, f"{middle(taken).cpu_s * 1e3:.1f}") for name, taken in costs.items()]
    show("Parts, processor ms per 10 s, one thread", ("part", "ms"), rows)


def measure_ends(folder: Path, checkpoint: Path, rounds: int, *, full: bool) -> None:
    lengths_s = corpus.mixed_lengths(200, 15) if full else [150.0] * 12
    total_s = sum(lengths_s)
    wav = corpus.write_corpus(folder / "wav16", "wav", lengths_s, 16_000, 1)
    cases = {"wav 16 kHz mono": tagging_case(wav, checkpoint, total_s, "--backend", "torch")}
    for container in CONTAINERS:
        stereo = corpus.write_corpus(folder / f"{container}44", container, lengths_s, corpus.RATE_HZ, 2)
        cases[f"{container} 44.1 kHz stereo"] = tagging_case(stereo, checkpoint, total_s, "--backend", "torch")
        if container == "mp3":
            cases["mp3 44.1 kHz stereo, onnx"] = tagging_case(stereo, checkpoint, total_s, "--backend", "onnx")
    cases |= {
        "wav 16 kHz mono, onnx": tagging_case(wav, checkpoint, total_s, "--backend", "onnx"),
        "wav 16 kHz mono, int8": tagging_case(wav, checkpoint, total_s, "--precision", "int8"),
        "plain loop": plain_loop_case(wav, checkpoint, total_s, CPUS),
        "wav beside a hog": tagging_case(wav, checkpoint, total_s, "--backend", "torch", beside_hog=True),
        "wav beside a hog, onnx": tagging_case(wav, checkpoint, total_s, "--backend", "onnx", beside_hog=True),
        "plain loop beside a hog": plain_loop_case(wav, checkpoint, total_s, CPUS, beside_hog=True),
    }
    if HAS_BF16:
        cases["wav 16 kHz mono, bf16"] = tagging_case(wav, checkpoint, total_s, "--precision", "bf16")
    if full:
        long = corpus.write_recording(folder / "long.mp3", 7200, corpus.RATE_HZ, 2)
        cases["mp3, one file of 2 hours"] = tagging_case(long, checkpoint, 7200, "--backend", "torch")
    costs = paced(rounds, product_case(flop_per_window(CedConfig()) / 1e9, CPUS), cases)
    rows = [(name, ms, *figures, f"{10_000 / float(ms):.0f}") for name, ms, *figures in against_limit(costs)]
    show(
        f"ced-tiny, files to CSV, ms per 10 s of audio ({len(lengths_s)} files, {total_s / 60:.0f} minutes)",
        ("what", "passing", "processor", "% of limit", "by processor", "x realtime"),
        rows,
    )
    own, int8 = costs["wav 16 kHz mono"], costs["wav 16 kHz mono, int8"]
    bf16 = costs.get("wav 16 kHz mono, bf16")
    of_bf16 = {"fp32 / bf16": own, "plain loop / cedtag, bf16": costs["plain loop"]} if bf16 else {}
    show(
        "Ratios of passing time, each measured by the limit beside it",
        ("ratio", "value"),
        [
            ("plain loop / cedtag", f"{ratio(costs['plain loop'], own):.2f}"),
            ("plain loop / cedtag, onnx", f"{ratio(costs['plain loop'], costs['wav 16 kHz mono, onnx']):.2f}"),
            *((name, f"{ratio(above, bf16):.2f}") for name, above in of_bf16.items() if bf16),
            ("fp32 / int8", f"{ratio(own, int8):.2f}"),
            ("fp32 / int8, both onnx", f"{ratio(costs['wav 16 kHz mono, onnx'], int8):.2f}"),
            ("speed beside a hog / quiet speed", f"{ratio(own, costs['wav beside a hog']):.2f}"),
            (
                "speed beside a hog / quiet speed, onnx",
                f"{ratio(costs['wav 16 kHz mono, onnx'], costs['wav beside a hog, onnx']):.2f}",
            ),
            ("the same of the plain loop", f"{ratio(costs['plain loop'], costs['plain loop beside a hog']):.2f}"),
        ],
    )


def measure_start(folder: Path, checkpoint: Path, rounds: int) -> None:
    path = str(corpus.write_recording(folder / "ten.wav", 10, 16_000, 1))
    commands = {
        "python -c pass": ("-c", "pass"),
        "import click": ("-c", "import click"),
        "import numpy, soundfile, click": ("-c", "import numpy, soundfile, click"),
        "import torch": ("-c", "import torch"),
        "cedtag --help": ("-m", "cedtag", "--help"),
        "cedtag ten.wav, torch": ("-m", "cedtag", path, "-m", str(checkpoint), "--backend", "torch"),
        "cedtag ten.wav, onnx": ("-m", "cedtag", path, "-m", str(checkpoint), "--backend", "onnx"),
        "cedtag ten.wav, int8": ("-m", "cedtag", path, "-m", str(checkpoint), "--precision", "int8"),
    }
    cases = {name: (lambda words=words: cost_of(lambda: run_alone(*words))) for name, words in commands.items()}
    costs = interleaved(rounds, cases)
    rows = [(name, f"{middle(taken).wall_s:.2f}") for name, taken in costs.items()]
    show("From the start of the process to its end, seconds", ("what", "s"), rows)


def against_limit(costs: dict[str, list[Paced]]) -> list[tuple[str, ...]]:
    """Milliseconds, and the share of the limit's speed, in passing and in processor time; the limit itself first."""
    limits = [each.limit for taken in costs.values() for each in taken]
    all_costs = {"limit": [Paced(limit, limit) for limit in limits], **costs}
    return [
        (
            name,
            f"{middle([each.cost for each in taken]).wall_s * 1e3:.1f}",
            f"{middle([each.cost for each in taken]).cpu_s * 1e3 / CPUS:.1f}",
            f"{100 / median(each.times_limit for each in taken):.0f}",
            f"{100 * median(each.limit.cpu_s / each.cost.cpu_s for each in taken):.0f}",
        )
        for name, taken in all_costs.items()
    ]


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown."""
    click.echo(f"{title}\n")
    for cells in (header, ["---"] * len(header), *rows):
        click.echo(f"| {' | '.join(cells)} |")
    click.echo()


if __name__ == "__main__":
    sys.exit(main())
