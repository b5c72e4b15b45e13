"""Where results go and in which format, and what goes beside them."""

from __future__ import annotations

import click

from cedtag.cli.shared.options import option
from cedtag.writers import WRITERS
from cedtag.writers.timecode import FRAME_RATES

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
