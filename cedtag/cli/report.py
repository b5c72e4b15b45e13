"""`cedtag report`: one page about an archive, made from results."""

from __future__ import annotations

from pathlib import Path

import click

from cedtag.cli.shared.options import SectionedCommand, option, options_in

page_options = options_in(
    "Page",
    option("-o", "--output", required=True, metavar="FILE", help="The page, such as report.html."),
    option("--title", metavar="TEXT", help="Its heading.  [default: the name of RESULTS]"),
    option(
        "-t",
        "--threshold",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="X",
        help="Leave weaker tags out, which makes the page smaller.  [default: keep all]",
    ),
    option(
        "--start-time",
        type=click.Choice(["auto", "name", "metadata", "none"]),
        default="name",
        show_default=True,
        help="Where to look for when recordings began, if RESULTS do not tell.",
    ),
    option("--overwrite", is_flag=True, help="Replace the page that is there."),
)


@click.command(cls=SectionedCommand)
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@page_options
def command(
    results: tuple[Path, ...], output: str, title: str | None, threshold: float, start_time: str, overwrite: bool
) -> None:
    """Make one page for the browser of RESULTS: csv, tsv, jsonl or json files that cedtag wrote.

    The page holds everything and asks for nothing from the network. Recordings can be listened to where they lie as
    they did when the page was made: keep both together when you move them.
    """
    from cedtag.errors import InputError, OutputError
    from cedtag.inputs.start_time import parse_clock
    from cedtag.report import collect, write_page
    from cedtag.results.convert import read_all
    from cedtag.run.outputs.files import writing
    from cedtag.system.atomic import writing_whole

    page = Path(output)
    if page.exists() and not overwrite:
        raise OutputError(f"{page}: this file exists; use --overwrite to replace it, or another -o")
    run, found = read_all(results, "long")
    clock = parse_clock(start_time, "UTC")  # the page shows the time of the recorder's own clock, whatever its zone
    archive = collect(found, page.absolute().parent, least_score=threshold, clock=clock)
    if not archive.names:
        raise InputError(f"{', '.join(map(str, results))}: no recording is named there; tag some first")
    with writing(page), writing_whole(page) as out:
        write_page(out, archive, title or results[0].stem, run.settings)
    if archive.least_score > round(threshold * 10_000):
        click.echo(
            f"cedtag: tags below {archive.least_score / 10_000:.4f} are left out, or the page would be too large; "
            "make one of fewer RESULTS to see them",
            err=True,
        )
