"""What `cedtag query` does: ask a store, and tell how its recordings ended."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.common_options import note, note_written
from cedtag.cli.shared.failures import run_code
from cedtag.cli.shared.inputs import files_of_options
from cedtag.cli.shared.presets import shown_presets
from cedtag.cli.shared.streams import for_terminal
from cedtag.cli.tag.shortfalls import Shortfalls
from cedtag.query.ask import query
from cedtag.run.summary import Summary, duration
from cedtag.store import open_store
from cedtag.store.inspect import parts_without_outcomes
from cedtag.store.open_part import num_open_recordings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cedtag.query import Counting
    from cedtag.records import FileEnd, FileFailed
    from cedtag.run.settings import RunSettings

logger = logging.getLogger("cedtag")


def answer(stores: Sequence[str], heads: Sequence[Path], counting: Counting, settings: RunSettings) -> int:
    """Write the answer of one store; the exit code is that of the run that filled it."""
    if len(stores) != 1:
        raise click.UsageError("name one store: the folder that `cedtag tag --store` has filled")
    context = click.get_current_context()
    for text in shown_presets(context):
        logger.info("%s", text)
    settings = replace(settings, destination=replace(for_terminal(settings.destination), resume=False))
    store, shortfalls = open_store(Path(stores[0])), Shortfalls()

    def tell(outcome: FileEnd | FileFailed, _: Summary) -> None:
        shortfalls.add(outcome)

    summary = query(store, settings, counting, heads=heads, on_outcome=tell, inputs=tuple(files_of_options(context)))
    if missing := num_open_recordings(store.path):
        logger.warning("%s: its run has not finished, and %d recordings of it do not count yet", store.path, missing)
    for lost in parts_without_outcomes(store.path):
        logger.warning("%s: recordings/%s.parquet is missing, and what it named does not count", store.path, lost)
    _conclude(summary, shortfalls, settings)
    return run_code(found=summary.found > 0, complete=summary.all_complete)


def _conclude(summary: Summary, shortfalls: Shortfalls, settings: RunSettings) -> None:
    """Say what was written, and which recordings the scores lack or have in part alone."""
    if not summary.found:
        note("the store holds no recordings")
        return
    windows = f"{summary.windows:,} window{'' if summary.windows == 1 else 's'}"
    said = f"{summary.outcomes()}; {windows}, {duration(summary.audio_s)} of audio"
    if settings.destination.is_stream:
        logger.info("%s", said)
    else:
        note_written(settings.destination.to, said)
    for sentence in shortfalls.of_store(settings.destination):
        note(sentence)
