"""`cedtag query STORE`: what `cedtag tag` would write, of a store of scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.event_options import event_options
from cedtag.cli.shared.options import Option, SectionedCommand, gathered, option
from cedtag.cli.shared.presets import presets_or_paths, take_presets
from cedtag.cli.shared.target_options import beside_options, errors_option, target_options
from cedtag.cli.tag.options import clock_options, frames_option, run_options, tag_options
from cedtag.inputs.window_settings import WindowSettings
from cedtag.query import WAYS, Counting
from cedtag.run.outputs.destination import Destination

if TYPE_CHECKING:
    from cedtag.run.settings import RunSettings


class _Command(SectionedCommand):
    """A command that says why it lacks options of tagging."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from cedtag.cli.tag import command as tagging

            if any(error.option_name in (*one.opts, *one.secondary_opts) for one in tagging.params):
                said = f"{error.option_name} is about scoring, and a store is scored; leave it out"
                raise click.UsageError(said, ctx) from error
            raise


@click.command(cls=_Command)
@click.argument(
    "stores",
    nargs=-1,
    metavar="STORE",
    type=click.Path(),
    is_eager=True,
    callback=take_presets,
    shell_complete=presets_or_paths,
)
@run_options(
    tag_options,
    event_options,
    gathered("windows", WindowSettings, ("Events", [frames_option])),
    gathered("destination", Destination, ("Output", [*target_options, errors_option, *beside_options])),
    clock_options,
)
@click.option(
    "--events", "shows_events", is_flag=True, cls=Option, section="Events", help="Show events in place of windows."
)
@gathered(
    "counting",
    Counting,
    (
        "Counts",
        [
            option("hours", "--hours", help="In place of rows, count windows, recordings and seconds of each class."),
            option("by", "--by", type=click.Choice(WAYS), help="The same counts by day, hour of the day, or folder."),
        ],
    ),
)
@click.option(
    "--head",
    "heads",
    multiple=True,
    type=click.Path(),
    cls=Option,
    section="Windows and tags",
    metavar="FOLDER",
    help="Add the class that `cedtag learn` wrote to FOLDER, of the stored embeddings; repeatable.",
)
def command(
    stores: tuple[str, ...], settings: RunSettings, shows_events: bool, counting: Counting, heads: tuple[str, ...]
) -> int:
    """Write what `cedtag tag` would write with these options, without hearing anything again.

    STORE is the folder that `cedtag tag --store` has filled. The results have the bytes of those of `cedtag tag` with
    the same options, and the exit codes are the same.

    \b
    cedtag query year -t 0.3 --labels Dog -o dogs.csv
    cedtag query year --events --onset 0.4 -f raven -o selections.txt
    """
    from cedtag.cli.query.run import answer

    return answer(
        stores, [Path(head) for head in heads], counting, settings if shows_events else replace(settings, events=None)
    )
