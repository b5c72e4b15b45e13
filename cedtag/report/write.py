"""Making the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.errors import InputError
from cedtag.inputs.clock import Clock
from cedtag.report.archive import collect
from cedtag.report.html import write_page
from cedtag.results.convert import joined, open_all
from cedtag.run.outputs.files import journal_beside
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.destinations import OutputPath, check_outputs, kept_apart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cedtag.report import PageSettings


def write_report(paths: Sequence[Path], settings: PageSettings) -> float:
    """Make one page of the results in these files; the score below which tags are left out of it.

    That is `settings.threshold`, or more where the page would have become too large for a browser.
    """
    page = settings.page
    output = OutputPath(page, "page")
    check_outputs([output], [*paths, *map(journal_beside, paths)], overwrite=settings.overwrite)
    files = open_all(paths)
    for file in files:
        file.require_ends("the page")
    run, results = joined(files)
    # The page shows the time of the recorder's own clock, whatever its zone.
    clock = Clock(settings.start_time)
    results = kept_apart(results, [output], lambda result: result.source.path)
    archive = collect(results, page.absolute().parent, least_score=settings.threshold, clock=clock)
    if not archive.names:
        raise InputError(f"{', '.join(map(str, paths))}: no recording is named there; tag some first")
    with writing(page), writing_whole(page) as out:
        write_page(out, archive, settings.title or paths[0].stem, run.settings)
    return max(settings.threshold, archive.least_score / 10_000)
