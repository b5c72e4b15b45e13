"""Events made of results that are written."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from click.core import ParameterSource

from cedtag.cli.shared.common_options import note_written
from cedtag.cli.shared.streams import for_terminal, local_path
from cedtag.errors import InputError
from cedtag.results.events import write_events
from cedtag.results.read import FORMATS
from cedtag.store import is_score_store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import click

    from cedtag.cli.shared.options import Logging
    from cedtag.run.settings import RunSettings

# Everything else shapes how recordings are scored, which is over when there are results.
FOR_RESULTS = {
    "paths",
    *("path", "subtitles", "caption_format"),
    "window_s",
    "onset",
    "offset",
    "min_duration_on_s",
    "min_duration_off_s",
    "pad_onset_s",
    "pad_offset_s",
    *("labels", "exclude", "threshold", "top_k", "group", "depth", "where"),
    "to",
    "formats",
    "layout",
    "bom",
    "frame_rate",
    "position",
    "overwrite",
    "quiet",
    "verbose",
    "progress",
    "no_color",
}


def all_are_results(paths: Sequence[str]) -> bool:
    """Whether results are named, and nothing else; InputError for both kinds at once."""
    are_results = [
        path == "-" or path.lower().endswith(tuple(f".{name}" for name in FORMATS)) or is_score_store(Path(path))
        for path in paths
    ]
    if any(are_results) and not all(are_results):
        recording = paths[are_results.index(False)]
        raise InputError(f"{recording}: rows and recordings cannot be mixed; name one kind")
    return any(are_results)


def asks_frames(paths: Sequence[str], settings: RunSettings) -> bool:
    """Whether a store is asked for the events of its columns of tokens."""
    return settings.windows.frames and all(is_score_store(Path(path)) for path in paths)


def refuse_scoring_options(context: click.Context, taken: Collection[str] = ()) -> None:
    """InputError for an option on the command line that has no meaning for results, and is none of those `taken`."""
    for name in context.params.keys() - FOR_RESULTS - set(taken):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise InputError(f"`{name}` is about scoring, and rows are scored; leave it out")


def events_of_results(paths: Sequence[str], settings: RunSettings, logging: Logging) -> None:
    """Write the events of results, of which "-" is standard input."""
    if logging.no_color:
        os.environ["NO_COLOR"] = "1"
    assert settings.events is not None
    with ExitStack() as stack:
        files = [local_path(name, stack) for name in paths]
        destination = for_terminal(settings.destination)
        window_s, tags = settings.windows.window_s, settings.tags
        written = write_events(files, settings.events, destination, window_s=window_s, tags=tags)
    note_written(destination.to, written)
