"""Making the page."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cedtag.errors import InputError
from cedtag.inputs.clock import Clock
from cedtag.labels.tag_filter import TagFilter
from cedtag.report.archive import collect
from cedtag.report.html import write_page
from cedtag.results.convert import joined, open_all
from cedtag.run.outputs.files import journal_beside
from cedtag.store import is_score_store
from cedtag.system.atomic import writing, writing_whole
from cedtag.system.destinations import OutputPath, check_outputs, kept_apart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cedtag.records import Result
    from cedtag.report import PageSettings


@dataclass(frozen=True, slots=True)
class Written:
    """What a page holds: tags from `least_score` on, and recordings, of which `num_missing` are not where it looks.

    The score is `threshold` of the settings, or more where the page would have become too large for a browser.
    """

    least_score: float
    num_recordings: int
    num_missing: int


def write_report(paths: Sequence[Path], settings: PageSettings, tags: TagFilter | None = None) -> Written:
    """Make one page of the results in these files, of which `tags` wants some."""
    page = settings.page
    output = OutputPath(page, "page")
    check_outputs([output], [*paths, *map(journal_beside, paths)], overwrite=settings.overwrite)
    if settings.threshold and all(map(is_score_store, paths)):  # which hold lower scores than a run shows, too
        tags = replace(tags or TagFilter(), threshold=settings.threshold)
    files = open_all(paths, tags)
    for file in files:
        file.require_ends("the page")
    run, results = joined(files)
    # The page shows the time of the recorder's own clock, whatever its zone.
    clock = Clock(settings.start_time)
    results = kept_apart(results, [output], lambda result: result.source.path)
    results = (_at_root(result, settings.root) for result in results)
    archive = collect(results, page.absolute().parent, least_score=settings.threshold, clock=clock)
    if not archive.names:
        raise InputError(f"{', '.join(map(str, paths))}: no recording is named there; tag some first")
    with writing(page), writing_whole(page) as out:
        write_page(out, archive, settings.title or paths[0].stem, run.settings)
    missing = sum(not (page.absolute().parent / unquote(link)).exists() for link in archive.links)
    return Written(max(settings.threshold, archive.least_score / 10_000), len(archive.names), missing)


def _at_root(result: Result, root: Path) -> Result:
    """The result with the path where its recording is; its name stays."""
    return replace(result, source=replace(result.source, path=os.path.join(root, result.source.path)))  # noqa: PTH118
