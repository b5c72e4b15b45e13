"""`cedtag demo`: what tagging looks like, with the recording and the model that come with the package."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

FOLDER = Path(__file__).parent.parent / "demo"
SAMPLE = "sample.ogg"
NEXT = """
`demo` is a small model of 21 classes that needs no download. For your own recordings use a published one, of 527:

  cedtag RECORDING               fetches ced-tiny (22 MB) the first time
  cedtag FOLDER -o tags.csv      a whole tree; stopped, it goes on where it was
  cedtag labels --find rain      the classes
  cedtag --help                  the rest"""


@click.command("demo")
@click.pass_context
def command(context: click.Context) -> int:
    """Tag the recording in the package with the model in the package: nothing is downloaded.

    The recording holds six sounds of 5 seconds: two of a speech synthesiser, two sirens and two hums of
    the mains.
    """
    from cedtag.cli.tag import command as tag

    click.echo(f"$ {shlex.join(['cedtag', str(FOLDER / SAMPLE), '-m', 'demo'])}")
    os.chdir(FOLDER)  # so that the recording is shown by its name alone
    with tag.make_context("tag", [SAMPLE, "-m", "demo", "-f", "table", "-o", "-"], parent=context) as tagging:
        code: int = tag.invoke(tagging)
    click.echo(NEXT)
    return code
