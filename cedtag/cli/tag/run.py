"""What `cedtag tag` does, once it is known what was asked for."""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cedtag.audio import Decoding, parse_raw_format
from cedtag.checkpoints import cache as hub
from cedtag.checkpoints.locate import resolve
from cedtag.cli.shared.console import Console, Progress, download_bar
from cedtag.cli.shared.failures import DONE, NO_AUDIO, SOME_FAILED
from cedtag.cli.shared.interrupts import Interrupted, Interrupts
from cedtag.cli.shared.options import window_and_hop
from cedtag.cli.tag.inputs import only_one, recording_opener, search_of, stamped, typed_paths
from cedtag.cli.tag.outputs import files_beside, open_output, shows_one_recording, to_stdout
from cedtag.cli.tag.settings import refinement_of, selection_of
from cedtag.errors import InputError
from cedtag.inputs.sources import STDIN, find_sources
from cedtag.inputs.start_time import parse_clock, timed
from cedtag.records import FileFailed, ScoredWindow, Skipped
from cedtag.run.outputs.files import writing
from cedtag.run.pipeline import Plan, score_recordings
from cedtag.run.refinement import refined
from cedtag.run.summary import Summary
from cedtag.scoring import open_scorer
from cedtag.system.atomic import writing_whole
from cedtag.system.machine import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.cli.tag import Options
    from cedtag.inputs.sources import Search
    from cedtag.labels.selection import Selector
    from cedtag.records import Listed, Outcome
    from cedtag.run.outputs.files import Output
    from cedtag.scoring import Scorer
    from cedtag.writers.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class Job:
    """A run that is ready to go: what comes, which of it is shown, and where it goes."""

    events: Iterator[Outcome]
    selector: Selector
    output: Output
    run: RunInfo


def tag(options: Options) -> int:
    """Tag everything that was asked for; the exit code."""
    if options.no_color:
        os.environ["NO_COLOR"] = "1"
    interrupts = Interrupts()
    interrupts.install()
    console = Console(quiet=options.quiet, verbose=options.verbose)
    search = search_of(options)
    with ExitStack() as stack:
        job = prepare(options, search, console, stack)
        summary = Summary()
        start_progress(options, console, search)
        try:
            if follow(job, summary, console, interrupts, fail_fast=not options.keep_going):
                job.output.finish()
        except Interrupted:
            console.end_progress()
            kept = options.resume and not to_stdout(options.output)
            again = "; run the same command again to go on" if kept else ""
            console.error(f"stopped: {summary.sentence()}{again}")
            write_summary(options, job.run, summary)
            raise
        finally:
            console.end_progress()
        write_summary(options, job.run, summary)
    return conclude(summary, console)


def prepare(options: Options, search: Search, console: Console, stack: ExitStack) -> Job:
    """Load the model and open what is written and read; `stack` lets go of all of it."""
    raw = parse_raw_format(options.raw) if options.raw else None
    hub.configure(offline=options.offline, cache_dir=Path(options.cache_dir) if options.cache_dir else None)
    with download_bar(options.model) as on_progress:
        checkpoint = resolve(options.model, on_progress=on_progress)
    scorer = load_scorer(options, checkpoint, console)
    window, hop = window_and_hop(options.window, options.hop, options.overlap, scorer.longest_window)
    selector, run = selection_of(options, checkpoint, scorer, (window, hop))
    plan = plan_of(options, scorer, window, hop)
    output = stack.enter_context(
        closing(
            open_output(
                options.output,
                options.format,
                files_beside(options.errors, options.plot),
                run,
                resume=options.resume,
                overwrite=options.overwrite,
                shard=search.shard,
            )
        )
    )
    sources = output.pending(listed(options, search, stack), retry_failed=options.retry_failed)
    sources = timed(sources, parse_clock(options.start_time, options.timezone))
    # On a GPU the model is nearly free, and decoding has to leave this process to keep up.
    opener = recording_opener(Decoding(raw, isolate=scorer.device != "cpu"), stack)
    events: Iterator[Outcome] = stack.enter_context(closing(score_recordings(sources, opener, scorer, plan)))
    if options.refine is not None and run.events is not None:
        refinement = refinement_of(options.refine, run.events, selector, opener, scorer, plan)
        events = stack.enter_context(closing(refined(events, refinement)))
    return Job(events, selector, output, run)


def listed(options: Options, search: Search, stack: ExitStack) -> Iterator[Listed]:
    """Everything that was named, as it is found."""
    found = stamped(find_sources(typed_paths(options, stack), search))
    if options.plot or shows_one_recording(options.output, options.format):
        return only_one(found, "--plot draws" if options.plot else "this format holds")
    return found


def follow(job: Job, summary: Summary, console: Console, interrupts: Interrupts, *, fail_fast: bool) -> bool:
    """Write down what comes, in order; whether the run came to its end."""
    for event in job.events:
        with interrupts.deferred():
            if isinstance(event, ScoredWindow):
                job.output.write(job.selector(event))
            elif not isinstance(event, Skipped):
                job.output.write(event)
            summary.count(event)
            console.report(event, summary)
        if fail_fast and isinstance(event, FileFailed):
            console.error("stopped at the first failure (--fail-fast)")
            return False
    return True


def load_scorer(options: Options, checkpoint: Checkpoint, console: Console) -> Scorer:
    """The model on the device and in the precision that were asked for."""
    scorer = open_scorer(checkpoint, options.backend, options.device, options.precision, batch_size_of(options))
    console.detail(
        f"model {checkpoint.name} ({checkpoint.commit or checkpoint.weights}) on {scorer.device} "
        f"in {scorer.precision} with {scorer.settings['backend']}, {scorer.batch_size} windows a call"
    )
    return scorer


def batch_size_of(options: Options) -> int | None:
    if options.raw and STDIN in options.paths:
        return 1  # a live stream shows each window as soon as it is full
    if options.batch_size == "auto":
        return None
    if not options.batch_size.isdecimal() or int(options.batch_size) < 1:
        raise InputError(f"-b/--batch-size {options.batch_size}: a whole number from 1, or auto")
    return int(options.batch_size)


def plan_of(options: Options, scorer: Scorer, window: int, hop: int) -> Plan:
    cpus = usable_cpus()
    # One more than there are processors: it costs nothing on a quiet machine, and beside a process that wants a whole
    # processor the kernel, which shares by threads, leaves more to this one.
    scorers = options.threads or (cpus + 1 if scorer.device == "cpu" else 1)
    timeout_s = None if options.timeout == 0 or STDIN in options.paths else options.timeout
    return Plan(window, hop, options.jobs or cpus, scorers, timeout_s)


def start_progress(options: Options, console: Console, search: Search) -> None:
    """Show progress unless rows and bar would share a terminal; count what there is to do beside the run."""
    shown = options.progress
    if shown is None:
        shown = not options.quiet and not (to_stdout(options.output) and sys.stdout is not None and sys.stdout.isatty())
    if not shown:
        return
    progress = Progress()
    console.start_progress(progress)
    if options.files_from is None and STDIN not in options.paths:

        def count() -> None:
            progress.set_total(sum(1 for _ in find_sources(options.paths, search)))

        threading.Thread(target=count, name="cedtag-count", daemon=True).start()


def write_summary(options: Options, run: RunInfo, summary: Summary) -> None:
    if options.summary is None:
        return
    path = Path(options.summary)
    with writing(path), writing_whole(path) as out:
        out.write(json.dumps(summary.to_dict() | run.to_dict(), indent=1).encode() + b"\n")


def conclude(summary: Summary, console: Console) -> int:
    if summary.recordings == 0:
        console.error("no audio found; see --include-glob and --recursive, or name a file")
        return NO_AUDIO
    if summary.found > 1 or not summary.all_complete:
        console.note(summary.sentence())
    return DONE if summary.all_complete else SOME_FAILED
