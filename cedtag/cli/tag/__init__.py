"""`cedtag PATH...`: what is heard in recordings, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from cedtag.cli.shared.event_options import event_options, refine_option
from cedtag.cli.shared.options import SectionedCommand, model_options, option, options_in, talk_options
from cedtag.scoring import BACKENDS
from cedtag.writers import WRITERS


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line, an attribute per option."""

    paths: tuple[str, ...]
    files_from: str | None
    null: bool
    recursive: bool
    include_glob: tuple[str, ...]
    exclude_glob: tuple[str, ...]
    shard: str | None
    raw: str | None
    timeout: float
    model: str
    offline: bool
    cache_dir: str | None
    backend: str
    device: str
    precision: str
    window: float
    hop: float | None
    overlap: str | None
    top_k: int | None
    threshold: tuple[str, ...]
    labels: tuple[str, ...]
    exclude: tuple[str, ...]
    group: bool
    level: int | None
    most_specific: bool
    where: str | None
    watch: tuple[str, ...]
    events: bool
    onset: tuple[str, ...]
    offset: tuple[str, ...]
    min_duration_on: float
    min_duration_off: float
    pad_onset: float
    pad_offset: float
    refine: float | None
    output: tuple[str, ...]
    format: tuple[str, ...]
    layout: str
    start_time: str
    timezone: str
    resume: bool
    overwrite: bool
    retry_failed: bool
    errors: str | None
    plot: str | None
    summary: str | None
    keep_going: bool
    batch_size: str
    jobs: int | None
    threads: int | None
    quiet: bool
    verbose: bool
    progress: bool | None
    no_color: bool


input_options = options_in(
    "Input",
    option("--files-from", metavar="FILE", help="Read the paths, one per line, from FILE or - (standard input)."),
    option("-0", "--null", is_flag=True, help="Paths of --files-from end with NUL, as `find -print0` writes them."),
    option("--recursive/--no-recursive", default=True, help="Search folders in folders.  [default: recursive]"),
    option("--include-glob", multiple=True, metavar="GLOB", help="Take only paths or names that match; repeatable."),
    option("--exclude-glob", multiple=True, metavar="GLOB", help="Leave out paths or names that match; repeatable."),
    option("--shard", metavar="I/N", help="Take the I-th of N parts, which stay the same when files are added."),
    option("--raw", metavar="FORMAT", help="Input is headerless PCM: encoding,rate,channels such as s16le,16000,1."),
    option(
        "--timeout",
        type=click.FloatRange(min=0),
        default=120.0,
        show_default=True,
        metavar="S",
        help="Give a recording up when its decoder gives nothing for so long; 0 waits for ever.",
    ),
)

window_options = options_in(
    "Windows and tags",
    option("-w", "--window", type=float, default=10.0, show_default=True, metavar="S", help="Seconds that are scored."),
    option("--hop", type=float, metavar="S", help="Seconds from window to window.  [default: the window]"),
    option("--overlap", metavar="S|P%", help="The same said otherwise: seconds or percent that windows share."),
    option(
        "-k",
        "--top-k",
        type=click.IntRange(min=0),
        metavar="N",
        help="Tags a window; 0 for all.  [default: 5, with --events all]",
    ),
    option(
        "-t",
        "--threshold",
        "--min-conf",
        multiple=True,
        metavar="X",
        help="Least score: X, LABEL=X for one class, @FILE.csv for many; repeatable.  "
        "[default: 0.1, with --events the lowest offset]",
    ),
    option("--labels", multiple=True, metavar="L", help="Only this class (name, MID or index); repeatable."),
    option("--exclude", multiple=True, metavar="L", help="Not this class; repeatable."),
    option("--watch", multiple=True, metavar="L", help="This class whenever it reaches its threshold; repeatable."),
    option("--group", is_flag=True, help="--labels and --exclude mean a node of the ontology and all below it."),
    option("--level", type=click.IntRange(min=1), metavar="N", help="Put classes in their groups at this depth."),
    option("--most-specific", is_flag=True, help="Not what is above a class in the ontology with at least its score."),
    option("--where", metavar="CONDITION", help="Only windows for which it holds: 'Siren > 0.3 and not Music > 0.5'."),
)

event_switch = options_in(
    "Events",
    option("--events", is_flag=True, help="Show from when to when a class is heard, in place of windows."),
)

output_options = options_in(
    "Output",
    option(
        "-o",
        "--output",
        multiple=True,
        metavar="PATH",
        help="A file, a folder (a file per recording), or -; repeatable with files.",
    ),
    option(
        "-f",
        "--format",
        multiple=True,
        type=click.Choice(list(WRITERS), case_sensitive=False),
        help="Repeatable.  [default: by the suffix of -o; table on a terminal, tsv in a pipe]",
    ),
    option(
        "--layout",
        type=click.Choice(["long", "wide"]),
        default="long",
        show_default=True,
        help="CSV and TSV: a row per tag, or a row per window with a column per class.",
    ),
    option(
        "--start-time",
        default="none",
        show_default=True,
        metavar="HOW",
        help="Put clock times into rows: auto, name or metadata (when recordings began), or the time itself.",
    ),
    option(
        "--timezone",
        default="UTC",
        show_default=True,
        metavar="ZONE",
        help="Of start times that tell none: Europe/Berlin, +02:00, UTC.",
    ),
    option(
        "--resume/--no-resume",
        default=True,
        help="With -o, go on where an earlier run of the same command was.  [default: resume]",
    ),
    option("--overwrite", is_flag=True, help="Replace the results that are there."),
    option("--retry-failed", is_flag=True, help="Try recordings again that failed in an earlier run."),
    option("--errors", metavar="FILE", help="Write what failed as JSON lines {path, stage, error}."),
    option("--plot", metavar="FILE", help="Draw the one recording: spectrogram and scores, as .png, .svg or .pdf."),
    option("--summary", metavar="FILE", help="Write counts, hours, speed, model and settings as JSON."),
    option("--keep-going/--fail-fast", default=True, help="After a recording that failed.  [default: keep-going]"),
)

machine_options = options_in(
    "Machine",
    option(
        "--backend",
        type=click.Choice(["auto", *BACKENDS]),
        default="auto",
        show_default=True,
        help="What computes: torch, or ONNX Runtime (CPU only, needs cedtag[onnx]); auto is torch, but onnx for int8.",
    ),
    option("-d", "--device", default="auto", show_default=True, metavar="DEVICE", help="auto, cpu, cuda[:N] or mps."),
    option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16", "int8"]),
        default="auto",
        show_default=True,
        help="Of the model; half precision needs a GPU, int8 a CPU and cedtag[onnx].",
    ),
    option("-b", "--batch-size", default="auto", show_default=True, metavar="N", help="Windows scored in one call."),
    option(
        "-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Recordings decoded at once.  [default: cores]"
    ),
    option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads that score.  [default: cores + 1]"),
)


@click.command(cls=SectionedCommand)
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path())
@input_options
@model_options
@window_options
@event_switch
@event_options
@refine_option
@output_options
@machine_options
@talk_options
def command(**options: Any) -> int:
    """Tag the recordings at PATH: files, folders, or - for standard input.

    Exit codes: 0 all done, 1 the run could not proceed, 2 usage, 3 some recordings failed or were cut short,
    4 no audio found.
    """
    from cedtag.cli.tag.run import tag

    return tag(Options(**options))
