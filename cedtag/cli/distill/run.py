"""What `cedtag distill store` shows: a bar, what is wrong with recordings, and how it ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cedtag.checkpoints import cache
from cedtag.cli.shared.data import RecordingsReport
from cedtag.cli.shared.failures import run_code
from cedtag.cli.shared.progress import progress_bar, show_actors
from cedtag.distill.run import DistillStoreCallbacks, store_views
from cedtag.distill.teachers import load_teachers
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.cli.shared.options import Logging
    from cedtag.distill.settings import DistillStoreSettings, TeacherChoice
    from cedtag.distill.store import StoreFacts
    from cedtag.inputs.segments import ReadClips


def store_and_show(
    data: Path, choice: TeacherChoice, output: Path, settings: DistillStoreSettings, logging: Logging
) -> int:
    """Store views, and show on standard error how it goes on; the exit code."""
    cache.configure(offline=choice.offline, cache_dir=choice.cache_dir)
    teachers = load_teachers(choice, settings.compute)
    report = RecordingsReport(quiet=logging.quiet)
    with progress_bar(logging, "storing") as bar:

        def begin(facts: StoreFacts) -> None:
            bar.reset(facts.recordings // (settings.parts.shard or (1, 1))[1])

        def count(read: ReadClips[Any]) -> None:
            report.add(read)
            bar.update()

        callbacks = DistillStoreCallbacks(begin, count, partial(show_actors, bar))
        result = store_views(data, teachers, output, settings, callbacks)
    if not logging.quiet:
        left_out = f"; {result.left_out:,} clips left out" if result.left_out else ""
        click.echo(f"cedtag: {printable(str(output))}: {result.summary.sentence()}{left_out}", err=True)
    return run_code(complete=result.complete)
