"""`cedtag PATH...`: the tags of recordings, window by window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.compute_options import cluster_options, compute_options
from cedtag.cli.shared.event_options import event_options
from cedtag.cli.shared.options import Option, SectionedCommand, logging_options, model_options
from cedtag.cli.shared.presets import presets_or_paths, take_presets
from cedtag.cli.tag.options import (
    clock_options,
    destination_options,
    dry_run_option,
    list_options,
    load_settings_option,
    reading_options,
    run_options,
    search_options,
    tag_options,
    window_options,
)

if TYPE_CHECKING:
    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.cli.shared.options import Logging
    from cedtag.cli.tag.inputs import PathList
    from cedtag.run.settings import RunSettings


@click.command(cls=SectionedCommand)
@click.argument(
    "paths",
    nargs=-1,
    metavar="PATH...",
    type=click.Path(),
    is_eager=True,
    callback=take_presets,
    shell_complete=presets_or_paths,
)
@load_settings_option
@list_options
@model_options
@run_options(
    search_options,
    reading_options,
    window_options,
    tag_options,
    event_options,
    destination_options,
    clock_options,
    cluster_options,
    compute_options,
)
@click.option(
    "--events", "shows_events", is_flag=True, cls=Option, section="Events", help="Show events in place of windows."
)
@dry_run_option
@logging_options
def command(
    paths: tuple[str, ...],
    listed: PathList,
    choice: ModelChoice,
    settings: RunSettings,
    shows_events: bool,
    dry_run: bool,
    logging: Logging,
) -> int:
    """Tag the recordings at PATH: files, folders, or - for standard input.

    Exit codes: 0 all done, 1 the run could not proceed, 2 usage, 3 some recordings failed or were cut short,
    4 no audio found.
    """
    from cedtag.cli.tag.plan import show_plan
    from cedtag.cli.tag.run import tag

    do = show_plan if dry_run else tag
    return do(paths, listed, choice, settings if shows_events else replace(settings, events=None), logging)
