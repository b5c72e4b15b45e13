"""`cedtag bench`: how fast this machine tags, in each backend and precision that works here."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.options import Logging, Option, SectionedCommand, logging_options, model_options
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from cedtag.checkpoints.choice import ModelChoice

_PARAMETER = re.compile(r"`(\w+)`")  # of the library, in the reasons why something was left out


@click.command(cls=SectionedCommand)
@click.argument("files", nargs=-1, type=click.Path())
@model_options
@click.option("--quick", is_flag=True, help="A fifth of the time: less exact, and wav and mp3 alone.", cls=Option)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.", cls=Option)
@logging_options
def command(files: tuple[str, ...], choice: ModelChoice, logging: Logging, quick: bool, as_json: bool) -> None:
    """Measure how fast this machine tags FILES, or synthetic recordings, in about two minutes.

    Every backend and precision that works here is measured beside the limit: the time that the matrix products of the
    model take alone. A published model needs no download: its shape is measured with random weights.
    """
    from cedtag.bench.measure import QUICK, Plan, measure
    from cedtag.bench.screen import screen
    from cedtag.checkpoints import cache
    from cedtag.cli.shared.progress import progress_bar

    cache.configure(offline=choice.offline, cache_dir=choice.cache_dir)
    with progress_bar(logging, "bench") as bar:
        bar.bar_format = "{desc}"
        found = measure(choice, files, QUICK if quick else Plan(), bar.set_description_str)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1))
        return
    for line in screen(found):
        click.echo(printable(_PARAMETER.sub(r"--\1", line)))
