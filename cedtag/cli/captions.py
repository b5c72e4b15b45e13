"""`cedtag captions PATH`: cues for sounds, on their own or between the lines of subtitles."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from cedtag.captions.write import STDOUT, CaptionSettings
from cedtag.cli.shared.compute_options import compute_options
from cedtag.cli.shared.event_options import event_options
from cedtag.cli.shared.options import SectionedCommand, gathered, logging_options, model_options, option
from cedtag.cli.tag.options import reading_options, run_options, tag_options, window_options
from cedtag.errors import InputError

if TYPE_CHECKING:
    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.cli.shared.options import Logging
    from cedtag.records import Result
    from cedtag.run.settings import RunSettings

caption_options = gathered(
    "captions",
    CaptionSettings,
    (
        "Captions",
        [
            option(
                "subtitles",
                "--with",
                metavar="FILE",
                help="Subtitles (.srt or .vtt) whose lines stay as they are; cues for sounds come between them.",
            ),
            option(
                "to",
                "-o",
                "--output",
                show_default=False,
                metavar="PATH",
                help="The captions, such as talk.srt.  [default: standard output]",
            ),
            option(
                "caption_format",
                "-f",
                "--format",
                type=click.Choice(["srt", "vtt"]),
                help="Format without --with.  [default: by the suffix of -o, else srt]",
            ),
            option("overwrite", "--overwrite", help="Replace existing captions."),
        ],
    ),
)


@click.command(cls=SectionedCommand)
@click.argument("path", metavar="PATH", type=click.Path())
@caption_options
@run_options(event_options, tag_options, window_options, reading_options, compute_options)
@model_options
@logging_options
def command(path: str, captions: CaptionSettings, settings: RunSettings, choice: ModelChoice, logging: Logging) -> int:
    """Write cues such as [dog barking] for the sounds in PATH: a film, a recording, or results.

    Without --labels speech, silence and the acoustics of rooms get no cue. Cues last from 1 to 7 seconds, have at most
    42 characters, and overlap neither each other nor a line.

    \b
    cedtag captions talk.mkv --with talk.srt -o talk.sdh.srt
    cedtag captions talk.mkv --labels Animal --labels Alarm --group -o sounds.vtt
    """
    from cedtag.captions.write import make_captions, write_captions

    captions.check(path)
    code, results = _events(path, settings, choice, logging)
    if not results:
        return code
    content, found = make_captions(results, captions, all_classes=bool(settings.tags.labels))
    if captions.to == STDOUT:
        sys.stdout.buffer.write(content)
    else:
        write_captions(content, captions.to)
    if not logging.quiet:
        left_out = f"; without a free second: {found.num_left_out}" if found.num_left_out else ""
        click.echo(f"cedtag: cues for sounds: {len(found.cues)}{left_out}", err=True)
    return code


def _events(path: str, settings: RunSettings, choice: ModelChoice, logging: Logging) -> tuple[int, list[Result]]:
    """The events in a recording, or in results; nothing where it could not be scored, and the exit code."""
    from cedtag.cli.events.run import all_are_results, refuse_scoring_options
    from cedtag.cli.shared.streams import local_path
    from cedtag.cli.tag.inputs import PathList
    from cedtag.cli.tag.run import tag
    from cedtag.records import FileFailed
    from cedtag.results.convert import open_all
    from cedtag.results.events import events_in
    from cedtag.results.read import read_results
    from cedtag.run.outputs.destination import Destination

    assert settings.events is not None
    if all_are_results([path]):
        refuse_scoring_options(click.get_current_context())
        with ExitStack() as stack:
            files = open_all([local_path(path, stack)], settings.tags, settings.events)
            return 0, list(events_in(files, settings.events, settings.windows.window_s))
    if Path(path).is_dir():
        raise InputError(f"{path}: is a folder, and captions are those of one recording; name that")
    with TemporaryDirectory(prefix="cedtag-") as folder:
        rows = Path(folder) / "events.jsonl"
        settings = replace(settings, destination=Destination((str(rows),), resume=False))
        code = tag((path,), PathList(), choice, settings, logging, names_places=False)
        results = list(read_results(rows)[1]) if rows.exists() else []
    return code, [] if any(isinstance(result, FileFailed) for result in results) else results
