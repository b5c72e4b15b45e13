"""`cedtag extract RESULTS... -o FOLDER`: the sound of events or of the best windows, as clips."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.common_options import note
from cedtag.cli.shared.options import SectionedCommand, gathered, option
from cedtag.results.clip_settings import ClipSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.errors import AudioError

clip_options = gathered(
    "settings",
    ClipSettings,
    (
        "Clips",
        [
            option(
                "folder",
                "-o",
                "--output",
                required=True,
                type=click.Path(path_type=Path),
                metavar="FOLDER",
                help="Folder for clips and clips.csv.",
            ),
            option(
                "audio_format", "-f", "--audio-format", type=click.Choice(["wav", "flac"]), help="Format of the clips."
            ),
            option(
                "name",
                "--name",
                show_default=False,
                metavar="TEMPLATE",
                help="Name of a clip, without suffix; see below.  [default: by class and score]",
            ),
            option("labels", "--labels", metavar="L", help="Only this class (name, MID or index); repeatable."),
            option(
                "max_per_class",
                "--max-per-class",
                type=click.IntRange(min=0),
                metavar="N",
                help="The N best of each class; 0 takes all.",
            ),
            option(
                "pad_s",
                "--pad",
                type=click.FloatRange(min=0),
                metavar="S",
                help="Seconds more on both sides, as far as the recording goes.",
            ),
            option(
                "root",
                "--root",
                type=click.Path(path_type=Path),
                show_default=False,
                metavar="DIR",
                help="Folder where the paths in RESULTS begin.  [default: this folder]",
            ),
            option(
                "track",
                "--track",
                metavar="N|LANG",
                help="Sound track to cut, by number from 1 or language.  [default: the one that was tagged]",
            ),
            option("overwrite", "--overwrite", help="Replace existing clips."),
        ],
    ),
)


@click.command(cls=SectionedCommand)
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...", type=click.Path(path_type=Path))
@clip_options
def command(results: Sequence[Path], settings: ClipSettings) -> int:
    """Cut the events or windows in RESULTS out of their recordings, at their own rate and with all their channels.

    RESULTS are csv, tsv, jsonl, json, a journal or a store; - is standard input.

    No sample changes: 16 and 24 bit stay what they are, everything else becomes float (in flac, 24 bit).
    FOLDER/clips.csv holds the place of each clip in its recording. A --name may hold {label} {mid} {index} {number}
    {score} {name} {start} {end}, such as "{label}_{number:03d}", and folders.
    """
    from cedtag.cli.shared.failures import printable_traceback, run_code
    from cedtag.cli.shared.streams import local_path
    from cedtag.results.convert import read_all
    from cedtag.results.extract import extract_clips
    from cedtag.system.terminal import printable

    failures: list[AudioError] = []

    def report(error: AudioError) -> None:
        failures.append(error)
        click.echo(f"{printable_traceback(error)}cedtag: {printable(str(error))}", err=True)

    with ExitStack() as stack:
        paths = [local_path(str(path), stack) for path in results]
        run, rows = read_all(paths)
        settings = replace(settings, track=settings.track or run.settings.get("track"))
        cuts = extract_clips(rows, settings, report, paths)
    if failures and not cuts and settings.root == Path() and all("no such file" in str(one) for one in failures):
        click.echo("cedtag: the paths in RESULTS begin in another folder? name it with --root", err=True)
    failed = f"; {len(failures)} recordings failed" if failures else ""
    note(f"{settings.folder}: {len(cuts)} clips, listed in clips.csv{failed}")
    return run_code(complete=not failures)
