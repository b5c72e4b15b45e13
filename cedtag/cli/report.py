"""`cedtag report`: one page about an archive, made from results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.common_options import note, note_written
from cedtag.cli.shared.options import SectionedCommand, gathered, option
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
def command(results: Sequence[Path], settings: PageSettings) -> None:
    """Make one page for the browser from RESULTS: csv, tsv, jsonl or json files that cedtag wrote.

    The page needs no network. Recordings can be played from where they lay when the page was made: keep both together
    when you move them.
    """
    from cedtag.report.write import write_report

    shown_from = write_report(results, settings)
    note_written([settings.page], f"{settings.page.stat().st_size / 1e6:.1f} MB; open it in a browser")
    if shown_from > settings.threshold:
        note(
            f"tags below {shown_from:.4f} are left out, or the page would be too large; "
            "make one of fewer RESULTS to see them"
        )
