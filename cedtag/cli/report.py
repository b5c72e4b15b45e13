"""`cedtag report`: one page about an archive, made from results."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.common_options import note, note_written
from cedtag.cli.shared.options import SectionedCommand, gathered, option
from cedtag.cli.shared.row_options import row_options, without_defaults
from cedtag.labels.tag_filter import TagFilter
from cedtag.report import PageSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

page_options = gathered(
    "settings",
    PageSettings,
    (
        "Page",
        [
            option(
                "page",
                "-o",
                "--output",
                required=True,
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="The page, such as report.html.",
            ),
            option("title", "--title", metavar="TEXT", help="Heading of the page.  [default: the name of RESULTS]"),
            option(
                "root",
                "--root",
                type=click.Path(path_type=Path),
                show_default=False,
                metavar="DIR",
                help="Folder where the paths in RESULTS begin.  [default: this folder]",
            ),
            option(
                "threshold",
                "-t",
                "--threshold",
                type=click.FloatRange(0, 1),
                show_default=False,
                metavar="X",
                help="Minimum score, which makes the page smaller.  [default: all tags]",
            ),
            option(
                "start_time",
                "--start-time",
                type=click.Choice(["auto", "name", "metadata", "none"]),
                help="Source of start times that RESULTS do not hold.",
            ),
            option("overwrite", "--overwrite", help="Replace an existing page."),
        ],
    ),
)


@click.command(cls=SectionedCommand)
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@page_options
@gathered("tags", TagFilter, ("Rows", without_defaults(spec for spec in row_options if spec.parameter != "threshold")))
def command(results: Sequence[Path], settings: PageSettings, tags: TagFilter) -> None:
    """Make one page for the browser from RESULTS: csv, tsv, jsonl, json or a store of cedtag; - is standard input.

    The page needs no network. Recordings can be played from where they lay when the page was made: keep both together
    when you move them.
    """
    from cedtag.cli.shared.streams import local_path
    from cedtag.report.write import write_report

    with ExitStack() as stack:
        written = write_report([local_path(str(path), stack) for path in results], settings, tags)
    note_written([settings.page], f"{settings.page.stat().st_size / 1e6:.1f} MB; open it in a browser")
    if written.num_missing == written.num_recordings:
        note(
            "no recording is where RESULTS say, so none can be played; their paths begin in another folder? "
            "name it with --root"
        )
    if written.least_score > settings.threshold:
        note(
            f"tags below {written.least_score:.4f} are left out, or the page would be too large; "
            "make one of fewer RESULTS to see them"
        )
