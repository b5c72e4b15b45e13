"""What other resamplers would change: `python -m benchmarks.resampling_error CHECKPOINT PATH...`.

Recordings that do not have 16 kHz are resampled with each quality of soxr, and their scores are compared with those
of HQ, which cedtag takes. VHQ keeps a little more of what is just below 8 kHz, and takes 1.4 times as long.
"""

from __future__ import annotations

import sys
from functools import partial
from unittest.mock import patch

import click
import soxr

from benchmarks.precision_error import changed, scores_of

QUALITIES = ("VHQ", "MQ", "LQ")


@click.command(help=__doc__)
@click.argument("checkpoint")
@click.argument("paths", nargs=-1, required=True)
def main(checkpoint: str, paths: tuple[str, ...]) -> None:
    reference = scores_of(checkpoint, paths, 10, "torch", "fp32")
    click.echo(f"{len(reference)} windows\n")
    click.echo(
        "| quality | largest change | mean | mean of scores from 0.1 on | other top tag |\n|---|---|---|---|---|"
    )
    for quality in QUALITIES:
        with patch("cedtag.audio.mono.soxr.ResampleStream", partial(soxr.ResampleStream, quality=quality)):
            changes = changed(scores_of(checkpoint, paths, 10, "torch", "fp32"), reference)
        click.echo(f"| {quality} | {' | '.join(changes)} |")


if __name__ == "__main__":
    sys.exit(main())
