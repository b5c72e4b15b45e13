"""What `cedtag finetune` shows of a training: bars, a line for each epoch, and how it ended."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from cedtag.checkpoints import cache
from cedtag.cli.shared.data import RecordingsReport, say_what_is_left_out
from cedtag.cli.shared.progress import progress_bar, write_beside_bars
from cedtag.system.terminal import printable
from cedtag.training.finetune import finetune
from cedtag.training.run import TrainingCallbacks

if TYPE_CHECKING:
    from pathlib import Path

    from tqdm import tqdm

    from cedtag.cli.shared.options import Logging
    from cedtag.training.settings import TrainingFolder, TrainingSettings
    from cedtag.training.split import Split

_LISTED = 12  # classes; of more, those with the fewest and the most clips


def finetune_and_show(data: Path, output: TrainingFolder, settings: TrainingSettings, logging: Logging) -> int:
    """Train, and show on standard error on what, and how it goes on; the exit code."""
    cache.configure(offline=settings.choice.offline, cache_dir=settings.choice.cache_dir)
    command = shlex.join(["cedtag", *sys.argv[1:]])
    folder = printable(str(output.folder))
    if not logging.quiet:
        say_what_is_left_out(data)
    report = RecordingsReport(quiet=logging.quiet)
    with progress_bar(logging, "decoding") as bar:
        callbacks = replace(callbacks_of(bar, quiet=logging.quiet), on_recording=report.add)
        finetune(data, output, settings, callbacks, command=command)
    code = report.conclude(data)
    if not logging.quiet:
        click.echo(f"cedtag: {folder}: done; try it: cedtag RECORDING -m {folder}", err=True)
    return code


def callbacks_of(bar: tqdm[Any], *, quiet: bool) -> TrainingCallbacks:
    """Callbacks that move the bar, and unless quiet print a line for each epoch."""

    def show_data(split: Split) -> None:
        if not quiet:
            write_beside_bars(f"cedtag: {_sentence_on(split)}")

    def begin(phase: str, epoch: int, epochs: int, steps: int) -> None:
        bar.set_description(f"{phase}, epoch {epoch} of {epochs}", refresh=False)
        bar.reset(steps)

    def end(row: dict[str, Any]) -> None:
        if not quiet:
            numbers = (f"{name} {value:.4f}" for name, value in row.items() if name.startswith(("loss", "valid")))
            write_beside_bars(f"cedtag: {row['phase']}, epoch {row['epoch']}: {', '.join(numbers)}")

    return TrainingCallbacks(
        on_data=show_data, on_decoding=bar.reset, on_clip=bar.update, on_begin=begin, on_step=bar.update, on_epoch=end
    )


def _sentence_on(split: Split) -> str:
    """How many classes and clips there are, and of which classes."""
    counts = split.clips_per_class()
    each = [f"{printable(name)} {count}" for name, count in sorted(counts.items(), key=lambda one: one[1])]
    listed = ", ".join(each) if len(each) <= _LISTED else f"{', '.join(each[:5])}, ... {', '.join(each[-3:])}"
    valid = f"{len(split.valid)} to validate on" if split.valid else "none to validate on (see --valid-split)"
    return f"{len(counts)} classes, {len(split.train)} clips to train on, {valid}: {listed}"
