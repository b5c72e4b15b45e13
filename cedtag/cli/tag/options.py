"""The options of tagging, gathered into the values that the library takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.loaded_settings import load_settings
from cedtag.cli.shared.options import AnyFunction, Option, bundled, gathered, option
from cedtag.cli.shared.row_options import row_options
from cedtag.cli.shared.target_options import beside_options, errors_option, target_options
from cedtag.cli.tag.inputs import PathList
from cedtag.inputs.clock import Clock
from cedtag.inputs.search import Search, parse_shard
from cedtag.inputs.slices import parse_offset
from cedtag.inputs.window_settings import WindowSettings
from cedtag.labels.names import read_label_names
from cedtag.labels.tag_filter import TagFilter
from cedtag.run.outputs.destination import Destination
from cedtag.run.settings import Reading, RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable


list_options = gathered(
    "listed",
    PathList,
    (
        "Input",
        [
            option(
                "files_from",
                "--files-from",
                metavar="FILE",
                help="Read the paths, one per line, from FILE or - (standard input).",
            ),
            option("null", "-0", "--null", help="Paths of --files-from end with NUL, as written by `find -print0`."),
        ],
    ),
)

load_settings_option = click.option(
    "--load-settings",
    cls=Option,
    section="Model",
    metavar="PATH",
    is_eager=True,
    expose_value=False,
    callback=load_settings,
    help="Tag exactly as the run that wrote PATH: json, jsonl, csv with its journal, a folder or a store.",
)

search_options = gathered(
    "search",
    Search,
    (
        "Input",
        [
            option("recursive", "--recursive/--no-recursive", help="Search folders in folders.  [default: recursive]"),
            option(
                "include_globs",
                "--include-glob",
                metavar="GLOB",
                help="Take only paths or names that match; repeatable.",
            ),
            option(
                "exclude_globs",
                "--exclude-glob",
                metavar="GLOB",
                help="Leave out paths or names that match; repeatable.",
            ),
            option(
                "shard",
                "--shard",
                parse=lambda text: {"shard": parse_shard(text) if text else None},
                metavar="I/N",
                help="Take the I-th of N parts, the same when files are added; auto: the task of a job array.",
            ),
        ],
    ),
)

reading_options = gathered(
    "reading",
    Reading,
    (
        "Input",
        [
            option(
                "raw",
                "--raw",
                metavar="FORMAT",
                help="Input is headerless PCM: encoding,rate,channels such as s16le,16000,1.",
            ),
            option(
                "channel",
                "--channel",
                metavar="N",
                help="Channel to score, from 1; mix for the mean of all, each to score every one by itself.",
            ),
            option(
                "track",
                "--track",
                metavar="N|LANG",
                help="Sound track of a video or another container, by number from 1 or language.  [default: the best]",
            ),
            option(
                "from_s",
                "--from",
                parse=lambda text: {"from_s": parse_offset(text, "from_s")},
                default="0",
                metavar="TIME",
                help="Score each recording from this time on: seconds, or H:MM:SS.",
            ),
            option(
                "to_s",
                "--to",
                parse=lambda text: {"to_s": None if text is None else parse_offset(text, "to_s")},
                metavar="TIME",
                help="Score each recording up to this time.  [default: its end]",
            ),
            option(
                "timeout_s",
                "--timeout",
                type=click.FloatRange(min=0),
                metavar="S",
                help="Skip a recording if its decoder produces no samples for S seconds; 0 waits for ever.",
            ),
        ],
    ),
)

frames_option = option(
    "frames",
    "--frames",
    help="Find edges of events to 0.16 s, by the score of each column of tokens in a window.",
)

window_options = gathered(
    "windows",
    WindowSettings,
    (
        "Windows and tags",
        [
            option("window_s", "-w", "--window", type=float, metavar="S", help="Length of a window in seconds."),
            option(
                "hop_s",
                "--hop",
                type=float,
                metavar="S",
                help="Seconds from the start of a window to the start of the next.  [default: the window]",
            ),
            option(
                "overlap",
                "--overlap",
                metavar="S|P%",
                help="Overlap of consecutive windows, in seconds or percent (alternative to --hop).",
            ),
        ],
    ),
    (
        "Events",
        [
            option(
                "refine_s",
                "--refine",
                type=click.FloatRange(min=0.16),
                metavar="S",
                help="Score windows in which an event begins or ends again, in windows of S seconds every S/2.",
            ),
            frames_option,
        ],
    ),
)

tag_options = gathered(
    "tags",
    TagFilter,
    (
        "Windows and tags",
        [
            *row_options,
            option("watch", "--watch", metavar="L", help="This class whenever it reaches its threshold; repeatable."),
            option(
                "most_specific",
                "--most-specific",
                help="Drop a tag if one of its descendants in the ontology scores at least as high.",
            ),
            option(
                "label_names",
                "--label-language",
                parse=lambda file: {"label_names": read_label_names(file)} if file else {},
                default=None,
                show_default=False,
                metavar="FILE.csv",
                help="Names of classes in results, from a table with the columns mid or label, and name.",
            ),
        ],
    ),
)

clock_options = gathered(
    "clock",
    Clock,
    (
        "Output",
        [
            option(
                "start_time",
                "--start-time",
                metavar="HOW",
                help="Add clock times to rows: auto, name or metadata (the source of start times), or the time itself.",
            ),
            option(
                "timezone",
                "--timezone",
                metavar="ZONE",
                help="Time zone of start times that carry no offset: Europe/Berlin, +02:00, UTC.",
            ),
        ],
    ),
)

destination_options = gathered(
    "destination",
    Destination,
    (
        "Output",
        [
            *target_options,
            option(
                "resume",
                "--resume/--no-resume",
                help="With -o, continue an earlier run of the same command.  [default: resume]",
            ),
            option(
                "retry_failed",
                "--retry-failed",
                help="Try again what failed, or was cut short by a time limit, a crash or the disk.",
            ),
            errors_option,
            *beside_options,
            option(
                "store",
                "--store",
                metavar="DIR",
                help="Keep all scores and embeddings of every window in DIR, of which anything can be asked later.",
            ),
            option(
                "embeddings",
                "--embeddings/--no-embeddings",
                help="Keep embeddings with --store.  [default: embeddings]",
            ),
            option(
                "keep_going",
                "--keep-going/--fail-fast",
                help="Continue or stop after a recording that failed.  [default: keep-going]",
            ),
        ],
    ),
)

dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    cls=Option,
    section="Output",
    help="Show what would be done: recordings, hours, what is done already. Load no model and write nothing.",
)


def run_options(*groups: Callable[[AnyFunction], AnyFunction]) -> Callable[[AnyFunction], AnyFunction]:
    """A decorator that adds these groups of options to a command and hands it all of them as `settings`."""
    return bundled("settings", RunSettings, *groups)
