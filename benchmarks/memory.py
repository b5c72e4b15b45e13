"""Peak memory of `cedtag file.wav`, by the length of the file and the way to score: `python -m benchmarks.memory`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.corpus import write_checkpoint, write_sparse_wav
from benchmarks.costs import peak_memory_mb
from cedtag.model.config import CedConfig

WAYS = {
    "torch fp32": ("--backend", "torch"),
    "torch bf16": ("--backend", "torch", "--precision", "bf16"),
    "onnx fp32": ("--backend", "onnx"),
    "onnx int8": ("--precision", "int8"),
}


@click.command(help=__doc__)
@click.option("--hours", default=24.0, show_default=True, help="Length of the long file.")
@click.option("-m", "--model", type=click.Path(exists=True), help="A checkpoint.  [default: ced-tiny's shape]")
def main(hours: float, model: str | None) -> None:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checkpoint = Path(model) if model else write_checkpoint(folder / "ced-tiny", CedConfig())
        lengths = {"1 minute": 60, f"{hours:g} hours": round(hours * 3600)}
        click.echo(f"| MB | {' | '.join(lengths)} | more |\n|{'---|' * (len(lengths) + 2)}")
        for way, options in WAYS.items():
            short, long = (_peak_mb(folder, length_s, checkpoint, options) for length_s in lengths.values())
            found = (
                "not here | | " if short is None or long is None else f"{short:.0f} | {long:.0f} | {long - short:.0f}"
            )
            click.echo(f"| {way} | {found} |")


def _peak_mb(folder: Path, length_s: int, checkpoint: Path, options: tuple[str, ...]) -> float | None:
    """The peak in MB, or None where this way does not work here."""
    path = folder / f"{length_s}.wav"
    if not path.exists():
        write_sparse_wav(path, length_s)
    words = (str(path), "-m", str(checkpoint), "-o", str(path.with_suffix(".csv")), "--overwrite", "-q", *options)
    try:
        return peak_memory_mb(*words)
    except subprocess.CalledProcessError:  # it has said why
        return None


if __name__ == "__main__":
    sys.exit(main())
