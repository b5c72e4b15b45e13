"""What `cedtag tag` does, once it is known what was asked for."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cedtag import hub
from cedtag.atomic import writing_whole
from cedtag.audio import AUDIO_SUFFIXES, Decoders, Decoding, parse_raw_format, read_raw, spooled
from cedtag.backends import open_scorer
from cedtag.checkpoint import resolve
from cedtag.cli.console import Console, Progress, download_bar
from cedtag.cli.destination import files_beside, open_output, shows_one_recording, to_stdout
from cedtag.cli.event_options import event_settings
from cedtag.cli.failures import DONE, NO_AUDIO, SOME_FAILED
from cedtag.cli.interrupts import Interrupted, Interrupts
from cedtag.cli.options import samples_of, window_and_hop
from cedtag.clock import parse_clock, timed
from cedtag.errors import InputError
from cedtag.groups import ontology
from cedtag.machine import usable_cpus
from cedtag.outputs import writing
from cedtag.pipeline import Plan, score_recordings
from cedtag.records import SAMPLE_RATE_HZ, FileFailed, ScoredWindow, Skipped, Source
from cedtag.refinement import Refinement, refined
from cedtag.run import Run
from cedtag.selection import Selector, Wanted, selector_of
from cedtag.sinks.segments import second_recording
from cedtag.sources import STDIN, Search, find_sources, parse_shard, read_path_list
from cedtag.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cedtag.backends import Scorer
    from cedtag.checkpoint import Checkpoint
    from cedtag.cli.tag import Options
    from cedtag.events import EventSettings
    from cedtag.labels import Label
    from cedtag.outputs import Output
    from cedtag.pipeline import Event, Listed, Recording

DEFAULT_THRESHOLD = 0.1
DEFAULT_TOP_K = 5


def tag(options: Options) -> int:
    """Tag everything that was asked for; the exit code."""
    if options.no_color:
        os.environ["NO_COLOR"] = "1"
    interrupts = Interrupts()
    interrupts.install()
    console = Console(quiet=options.quiet, verbose=options.verbose)
    search = search_of(options)
    hub.configure(offline=options.offline, cache_dir=Path(options.cache_dir) if options.cache_dir else None)
    with ExitStack() as stack:
        raw = parse_raw_format(options.raw) if options.raw else None
        clock = parse_clock(options.start_time, options.timezone)
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
        found = stamped(find_sources(typed_paths(options, stack), search))
        if options.plot or shows_one_recording(options.output, options.format):
            found = only_one(found, "--plot draws" if options.plot else "this format holds")
        sources = timed(output.pending(found, retry_failed=options.retry_failed), clock)
        # On a GPU the model is nearly free, and decoding has to leave this process to keep up.
        decoding = Decoding(raw, isolate=scorer.device != "cpu")
        opener = recording_opener(decoding, stack)
        events: Iterator[Event] = stack.enter_context(closing(score_recordings(sources, opener, scorer, plan)))
        if options.refine is not None and run.events is not None:
            refinement = refinement_of(options.refine, run.events, selector, opener, scorer, plan)
            events = stack.enter_context(closing(refined(events, refinement)))
        summary = Summary()
        start_progress(options, console, search)
        try:
            finished = follow(events, selector, output, summary, console, interrupts, fail_fast=not options.keep_going)
        except Interrupted:
            console.end_progress()
            again = "" if to_stdout(options.output) else "; run the same command again to go on"
            console.error(f"stopped: {summary.sentence()}{again}")
            raise
        finally:
            console.end_progress()
            write_summary(options, run, summary)
        if finished:
            output.finish()
    return conclude(summary, console)


def follow(
    events: Iterable[Event],
    selector: Selector,
    output: Output,
    summary: Summary,
    console: Console,
    interrupts: Interrupts,
    *,
    fail_fast: bool,
) -> bool:
    """Write down what comes, in order; whether the run came to its end."""
    for event in events:
        with interrupts.deferred():
            if isinstance(event, ScoredWindow):
                output.write(selector(event))
            elif not isinstance(event, Skipped):
                output.write(event)
            summary.count(event)
            console.report(event, summary)
        if fail_fast and isinstance(event, FileFailed):
            console.error("stopped at the first failure (--fail-fast)")
            return False
    return True


def search_of(options: Options) -> Search:
    """What is taken of the inputs."""
    return Search(
        AUDIO_SUFFIXES,
        options.recursive,
        options.include_glob,
        options.exclude_glob,
        parse_shard(options.shard) if options.shard else None,
    )


def typed_paths(options: Options, stack: ExitStack) -> Iterator[str]:
    """Everything that was named, on the command line and in the list, which is read while the run goes on."""
    if not options.paths and options.files_from is None:
        raise InputError("nothing to tag was named; give a file, a folder or -, or see cedtag --help")
    if options.files_from is None:
        return iter(options.paths)
    if options.files_from != STDIN:
        return chain(options.paths, read_path_list(stack.enter_context(opened(options.files_from)), options.null))
    if STDIN in options.paths:
        raise InputError("standard input cannot be both a recording and the list of --files-from")
    return chain(options.paths, read_path_list(sys.stdin.buffer, options.null))


def opened(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InputError(f"--files-from {path}: cannot be read ({error.strerror})") from error


def stamped(sources: Iterable[Listed]) -> Iterator[Listed]:
    """Give standard input the time of this run, so that no later run takes its own for the same."""
    for item in sources:
        if isinstance(item, Source) and item.path == STDIN:
            yield replace(item, mtime_ns=time.time_ns())
        else:
            yield item


def only_one(sources: Iterable[Listed], what: str) -> Iterator[Listed]:
    """Refuse a second recording before much is scored."""
    first = None
    for item in sources:
        if isinstance(item, Source):
            if first is not None:
                raise InputError(second_recording(first, item, what))
            first = item
        yield item


def recording_opener(decoding: Decoding, stack: ExitStack) -> Callable[[Source], Recording]:
    """The function that opens a recording; what it needs is let go with `stack`."""
    decoders = stack.enter_context(Decoders(decoding))

    def open_source(source: Source) -> Recording:
        if source.path != STDIN:
            return decoders.open(source)
        if decoding.raw is not None:
            return read_raw(source.name, sys.stdin.buffer, decoding.raw)
        return decoders.open(replace(source, path=stack.enter_context(spooled(sys.stdin.buffer))))

    return open_source


def load_scorer(options: Options, checkpoint: Checkpoint, console: Console) -> Scorer:
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


def selection_of(
    options: Options, checkpoint: Checkpoint, scorer: Scorer, window_and_hop: tuple[int, int]
) -> tuple[Selector, Run]:
    """Which tags are shown, and the settings that make the results."""
    events = event_settings_of(options, scorer.labels) if options.events else None
    top_k = options.top_k if options.top_k is not None else DEFAULT_TOP_K if events is None else 0
    wanted = Wanted(
        options.labels,
        options.exclude,
        options.watch,
        options.threshold,
        DEFAULT_THRESHOLD if events is None else events.lowest_offset,
        top_k,
        options.group,
        options.level,
        options.most_specific,
        options.where,
    )
    selector = selector_of(scorer.labels, wanted)
    kept = selector.grouping.labels
    window, hop = window_and_hop
    default, special = summarise(selector.thresholds.tolist())
    settings = {
        "model": checkpoint.name,
        "commit": checkpoint.commit,
        "weights": sha256_of(checkpoint.weights),
        "window": window / SAMPLE_RATE_HZ,
        "hop": hop / SAMPLE_RATE_HZ,
        "top-k": top_k,
        "threshold": default,
        "thresholds": {kept[place].name: value for place, value in special.items()},
        "labels": list(options.labels),
        "exclude": list(options.exclude),
        "group": options.group,
        "level": options.level,
        "most-specific": options.most_specific,
        "where": options.where,
        "watch": list(options.watch),
        "refine": None if options.refine is None else refine_settings(options, window, hop, events),
        "raw": options.raw,
        **scorer.settings,
    }
    if options.start_time != "none":
        settings |= {"start-time": options.start_time, "timezone": options.timezone}
    return selector, Run(settings, kept, options.layout, events)


def event_settings_of(options: Options, labels: Sequence[Label]) -> EventSettings:
    """How events are made, which counts only for what is made of the rows."""
    if options.layout == "wide":
        raise InputError("--layout wide has a row per window, and --events shows none; leave one of them")
    return event_settings(
        options.onset,
        options.offset,
        options.min_duration_on,
        options.min_duration_off,
        options.pad_onset,
        options.pad_offset,
        known=ontology(labels),
    )


def refine_settings(options: Options, window: int, hop: int, events: EventSettings | None) -> dict[str, Any]:
    """What decides which windows are scored again, and how: here onsets change rows."""
    assert options.refine is not None
    if events is None or hop != window or samples_of(options.refine) >= window or STDIN in options.paths:
        raise InputError(
            f"--refine {options.refine:g} goes with --events, windows that are longer and do not overlap, "
            "and recordings that can be read twice, so not with -; leave one of them"
        )
    onsets = {name: value for name, value in events.to_dict().items() if name in ("onset", "onsets")}
    return {"window": options.refine, **onsets}


def refinement_of(
    size_s: float,
    settings: EventSettings,
    selector: Selector,
    opener: Callable[[Source], Recording],
    scorer: Scorer,
    plan: Plan,
) -> Refinement:
    """How windows in which an event begins or ends are scored again."""

    def heard(window: ScoredWindow) -> frozenset[int]:
        tags = selector(window).tags
        return frozenset(tag.index for tag in tags if tag.score >= settings.onset_of(tag.index))

    return Refinement(opener, scorer, heard, samples_of(size_s), plan.scorers)


def summarise(values: list[float]) -> tuple[float, dict[int, float]]:
    """The most frequent value, and the places that have another."""
    usual = max(values, key=values.count) if len(set(values)) > 1 else values[0]
    return usual, {place: value for place, value in enumerate(values) if value != usual}


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as weights:
        while chunk := weights.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def plan_of(options: Options, scorer: Scorer, window: int, hop: int) -> Plan:
    cpus = usable_cpus()
    scorers = options.threads or (cpus if scorer.device == "cpu" else 1)
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


def write_summary(options: Options, run: Run, summary: Summary) -> None:
    if options.summary is None:
        return
    path = Path(options.summary)
    with writing(path), writing_whole(path) as out:
        out.write(json.dumps(summary.to_dict() | run.to_dict(), indent=1).encode() + b"\n")


def conclude(summary: Summary, console: Console) -> int:
    if summary.found == 0:
        console.error("no audio found; see --include-glob and --recursive, or name a file")
        return NO_AUDIO
    if summary.found > 1 or not summary.all_complete:
        console.note(summary.sentence())
    return DONE if summary.all_complete else SOME_FAILED
