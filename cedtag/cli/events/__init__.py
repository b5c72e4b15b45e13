"""`cedtag events PATH...`: onset and offset of each class, from recordings or from results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.compute_options import cluster_options, compute_options
from cedtag.cli.shared.event_options import event_options
from cedtag.cli.shared.options import SectionedCommand, logging_options, model_options
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
@run_options(
    event_options,
    destination_options,
    clock_options,
    window_options,
    tag_options,
    search_options,
    reading_options,
    cluster_options,
    compute_options,
)
@list_options
@model_options
@dry_run_option
@logging_options
def command(
    paths: tuple[str, ...],
    listed: PathList,
    choice: ModelChoice,
    settings: RunSettings,
    dry_run: bool,
    logging: Logging,
) -> int:
    """Show the events of each class: when it begins and ends.

    PATH is a recording or a folder of recordings: then this is `cedtag tag --events`. Or it is results (csv, tsv,
    jsonl, json, a journal, a store, or - for standard input): then nothing is scored again.

    \b
    cedtag events street.wav --onset 0.4 --min-duration-off 2
    cedtag archive/ -k 0 -t 0.2 -o tags.csv
    cedtag events tags.csv --onset Siren=0.3 -o events.csv
    """
    from cedtag.cli.events.run import all_are_results, asks_frames, events_of_results, refuse_scoring_options
    from cedtag.cli.tag.plan import show_plan
    from cedtag.cli.tag.run import tag

    if not all_are_results(paths):
        return (show_plan if dry_run else tag)(paths, listed, choice, settings, logging)
    if asks_frames(paths, settings):
        refuse_scoring_options(click.get_current_context(), ("frames",))
        from cedtag.cli.query.run import answer
        from cedtag.query import Counting

        return answer(paths, (), Counting(), settings)
    refuse_scoring_options(click.get_current_context())
    events_of_results(paths, settings, logging)
    return 0
