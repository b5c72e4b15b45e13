"""The options of tagging, gathered into the values that the library takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.loaded_settings import load_settings
from cedtag.cli.shared.options import AnyFunction, Option, bundled, gathered, number_or_auto, option
from cedtag.cli.shared.thresholds import threshold_fields
from cedtag.cli.tag.inputs import PathList
from cedtag.inputs.clock import Clock
from cedtag.inputs.search import Search, parse_shard
from cedtag.inputs.slices import parse_offset
from cedtag.inputs.window_settings import WindowSettings
from cedtag.labels.names import read_label_names
from cedtag.labels.tag_filter import TagFilter
from cedtag.run.cluster import Cluster
from cedtag.run.outputs.destination import Destination
from cedtag.run.settings import Reading, RunSettings
from cedtag.scoring import BACKENDS, Compute
from cedtag.writers import WRITERS
from cedtag.writers.timecode import FRAME_RATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cedtag.cli.shared.options import OptionSpec

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
            option(
                "frames",
                "--frames",
                help="Find edges of events to 0.16 s, by the score of each column of tokens in a window.",
            ),
        ],
    ),
)

# What rows that are written can be narrowed by, too.
row_options = [
    option(
        "top_k",
        "-k",
        "--top-k",
        type=click.IntRange(min=0),
        metavar="N",
        help="Tags per window; 0 for all.  [default: 5, with --events all]",
    ),
    option(
        "threshold",
        "-t",
        "--threshold",
        "--min-conf",
        also=("thresholds",),
        parse=threshold_fields("threshold", "thresholds"),
        default=(),
        multiple=True,
        metavar="X",
        help="Minimum score: X, LABEL=X for one class, @FILE.csv for many; repeatable.  "
        "[default: 0.1, with --events the lowest offset]",
    ),
    option("labels", "--labels", metavar="L", help="Only this class (name, MID or index); repeatable."),
    option("exclude", "--exclude", metavar="L", help="Not this class; repeatable."),
    option("group", "--group", help="--labels and --exclude mean a node of the ontology and all nodes below it."),
    option(
        "depth",
        "--level",
        type=click.IntRange(min=1),
        metavar="N",
        help="Put classes in their groups at this depth of the ontology.",
    ),
    option(
        "where",
        "--where",
        metavar="CONDITION",
        help="Only windows for which the condition holds: 'Siren > 0.3 and not Music > 0.5'.",
    ),
]


def without_defaults(options: Iterable[OptionSpec]) -> list[OptionSpec]:
    """The options for rows that are written, where the defaults are what the rows hold."""
    return [
        replace(spec, settings={**spec.settings, "help": spec.settings["help"].partition("  [default")[0]})
        for spec in options
    ]


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

target_options = [
    option(
        "to",
        "-o",
        "--output",
        metavar="PATH",
        help="A file, a folder (a file per recording), or -; repeatable with files.",
    ),
    option(
        "formats",
        "-f",
        "--format",
        type=click.Choice(list(WRITERS), case_sensitive=False),
        metavar="FMT",
        help=f"{', '.join(WRITERS)}; repeatable.  [default: by the suffix of -o; table on a terminal, tsv in a pipe]",
    ),
    option(
        "layout",
        "--layout",
        type=click.Choice(["long", "wide", "file"]),
        help="A row per tag, per window with a column per class, or per recording with best scores and seconds.",
    ),
    option("bom", "--bom", help="Begin csv and tsv with a byte order mark, so that spreadsheets read them as UTF-8."),
    option(
        "frame_rate",
        "--frame-rate",
        type=click.Choice(list(FRAME_RATES)),
        help="Frames per second of the timeline, for edl and otio; df is drop frame.",
    ),
    option(
        "position",
        "--position",
        metavar="LAT,LON",
        help="Latitude and longitude of the recorder in degrees, for camtrap-dp.",
    ),
    option("overwrite", "--overwrite", help="Replace existing results."),
]
beside_options = [
    option(
        "plot",
        "--plot",
        metavar="FILE",
        help="Draw the one recording: spectrogram and scores, as .png, .svg or .pdf.",
    ),
    option("summary", "--summary", metavar="FILE", help="Write counts, hours, speed, model and settings as JSON."),
]
errors_option = option("errors", "--errors", metavar="FILE", help="Write failures as JSON lines {path, stage, error}.")

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

scorer_options = [
    option(
        "backend",
        "--backend",
        type=click.Choice(["auto", *BACKENDS]),
        help="torch, or ONNX Runtime (CPU only); auto is torch, but onnx for int8 and without torch.",
    ),
    option("device", "-d", "--device", metavar="DEVICE", help="auto, cpu, cuda[:N] or mps."),
    option(
        "precision",
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16", "int8"]),
        help="Numbers that the model computes with; fp16 needs a GPU, bf16 one or a newer CPU, int8 ONNX Runtime.",
    ),
]
compute_options = gathered(
    "compute",
    Compute,
    (
        "Compute",
        [
            *scorer_options,
            option(
                "batch_size",
                "-b",
                "--batch-size",
                parse=lambda text: {"batch_size": number_or_auto(text)},
                default="auto",
                show_default=True,
                metavar="N",
                help="Windows per call of the model.",
            ),
            option(
                "jobs",
                "-j",
                "--jobs",
                type=click.IntRange(min=1),
                metavar="N",
                help="Recordings decoded at once.  [default: cores]",
            ),
            option(
                "threads",
                "--threads",
                type=click.IntRange(min=1),
                metavar="N",
                help="Threads that score.  [default: cores + 1]",
            ),
        ],
    ),
)

cluster_options = gathered(
    "cluster",
    Cluster,
    (
        "Compute",
        [
            option(
                "engine",
                "--engine",
                metavar="WHERE",
                help="local, or ray[://HOST:PORT]: actors of a Ray cluster decode and score.  [default: local]",
            ),
            option(
                "actors",
                "--actors",
                type=click.IntRange(min=1),
                metavar="N",
                help="Actors of --engine ray.  [default: as many as fit]",
            ),
            option(
                "actor_cpus",
                "--actor-cpus",
                type=click.IntRange(min=1),
                metavar="N",
                help="Processors of each actor.  [default: up to 4]",
            ),
            option(
                "actor_gpus",
                "--actor-gpus",
                type=click.FloatRange(min=0),
                metavar="N",
                help="Graphics cards of each actor; a share of one, too.  [default: 1 with --device cuda]",
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
