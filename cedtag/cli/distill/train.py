"""What `cedtag distill train` shows of a training: a bar, a line for each epoch, and how it ended."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from cedtag.checkpoints import cache
from cedtag.cli.finetune.run import callbacks_of
from cedtag.cli.shared.progress import progress_bar
from cedtag.distill.student import train_student
from cedtag.system.terminal import printable

if TYPE_CHECKING:
    from pathlib import Path

    from cedtag.cli.shared.options import Logging
    from cedtag.distill.student_settings import StudentSettings
    from cedtag.training.settings import TrainingFolder


def train_and_show(store: Path, output: TrainingFolder, settings: StudentSettings, logging: Logging) -> int:
    """Train a student, and show on standard error how it goes on; the exit code."""
    cache.configure(offline=settings.choice.offline, cache_dir=settings.choice.cache_dir)
    command, folder = shlex.join(["cedtag", *sys.argv[1:]]), printable(str(output.folder))
    with progress_bar(logging, "decoding") as bar:
        train_student(store, output, settings, callbacks_of(bar, quiet=logging.quiet), command=command)
    if not logging.quiet:
        click.echo(f"cedtag: {folder}: done; try it: cedtag RECORDING -m {folder}", err=True)
    return 0
