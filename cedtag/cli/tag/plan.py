"""`--dry-run`: what a run would do, found without a model and without writing anything."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cedtag.audio.audio_file import open_audio
from cedtag.checkpoints import cache
from cedtag.checkpoints.locate import HubName, locate
from cedtag.cli.shared.console import Console
from cedtag.cli.shared.failures import run_code
from cedtag.cli.shared.inputs import files_of_options
from cedtag.cli.shared.presets import shown_presets
from cedtag.cli.tag.run import nothing_to_tag
from cedtag.errors import AudioError
from cedtag.inputs.extent import Extent, stated_length_s
from cedtag.inputs.sources import find_sources
from cedtag.records import MISSING, AlreadyDone, FileFailed, Skipped, Source
from cedtag.run.journal.open import pending_in
from cedtag.run.outputs.files import journal_beside
from cedtag.run.outputs.folder import journal_in
from cedtag.run.outputs.places import check_destination
from cedtag.run.summary import Summary, duration
from cedtag.store import journal_of_store
from cedtag.system.extras import EXTRAS, has, install_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cedtag.audio import RawFormat
    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.cli.shared.options import Logging
    from cedtag.cli.tag.inputs import PathList
    from cedtag.records import Listed
    from cedtag.run.outputs.destination import Destination
    from cedtag.run.settings import RunSettings


@dataclass(slots=True)
class Plan:
    """What is to be done, what was done earlier by status, and what is no recording."""

    timed: Extent = field(default_factory=Extent)  # recordings whose length is known
    untimed: Extent = field(default_factory=Extent)
    earlier: dict[str, int] = field(default_factory=lambda: {"ok": 0, "partial": 0, "failed": 0})
    skipped: int = 0
    failed: int = 0
    lacking: int = 0  # of the untimed, those that PyAV reads, which is not installed

    def lines(self, settings: RunSettings, choice: ModelChoice) -> Iterator[tuple[str, str]]:
        """Each subject, and what is to be said of it."""
        yield "to tag", _extents(self.timed, self.untimed)
        for status, name in (("ok", "done"), ("partial", "partial"), ("failed", "failed")):
            if count := self.earlier[status]:
                again = "; --retry-failed tries them again" if status == "failed" else ""
                yield f"{name} earlier", f"{count:,}{again}"
        if self.failed:
            yield "not readable", f"{self.failed:,}"
        if self.lacking:
            yield "need PyAV", f"{self.lacking:,}, and it is not installed: {install_command(*EXTRAS['av'])}"
        if self.skipped:
            yield "skipped", f"{self.skipped:,}"
        destination = settings.destination
        yield "output", ", ".join(filter(None, [*destination.to, destination.store])) or "standard output"
        yield "model", _model(choice)
        if pace := _pace(settings.destination):
            of_known = " for those of known length" if self.untimed.recordings else ""
            estimate = f"about {duration(self.timed.seconds / pace)}{of_known}"
            yield "time", f"{estimate}, at the {pace:g}x realtime of the run in {settings.destination.summary}"


def show_plan(
    typed: tuple[str, ...], listed: PathList, choice: ModelChoice, settings: RunSettings, logging: Logging
) -> int:
    """Print what the run would do; the exit code that it would have if every recording can be decoded."""
    cache.configure(offline=True, cache_dir=choice.cache_dir)
    console = Console(quiet=logging.quiet, verbose=logging.verbose)
    for text in shown_presets(click.get_current_context()):
        console.detail(text)
    with ExitStack() as stack:
        paths = listed.paths(typed, stack)
        check_destination(settings.destination, [*typed, *files_of_options(click.get_current_context(), choice)])
        again = listed.paths(typed, stack) if listed.can_be_read_twice else ()
        if again and (code := nothing_to_tag(again, settings.search, console)):
            return code
        plan = _planned(paths, settings, console)
    lines = list(plan.lines(settings, choice))
    width = max(len(subject) for subject, _ in lines)
    for subject, text in lines:
        click.echo(f"{subject:<{width}}  {text}")
    found = plan.timed.recordings + plan.untimed.recordings + sum(plan.earlier.values()) + plan.failed
    return run_code(found=found > 0, complete=not plan.failed)


def _planned(paths: Iterable[str], settings: RunSettings, console: Console) -> Plan:
    plan, raw, summary = Plan(), settings.reading.decoding.raw, Summary()
    for one in _pending(find_sources(paths, settings.search), settings.destination):
        if isinstance(one, Source):
            length_s = stated_length_s(one, raw)
            plan.lacking += length_s is None and not has("av") and _needs_pyav(one, raw)
            (plan.untimed if length_s is None else plan.timed).add(one, length_s)
        elif isinstance(one, AlreadyDone):
            plan.earlier[one.status] += 1
        else:
            plan.failed += isinstance(one, FileFailed)
            plan.skipped += isinstance(one, Skipped)
            console.report(one, summary)
    return plan


def _needs_pyav(source: Source, raw: RawFormat | None) -> bool:
    """Whether a recording cannot be opened because PyAV is not installed."""
    try:
        open_audio(source, raw).close()
    except AudioError as error:
        return error.stage == MISSING
    return False


def _pending(sources: Iterable[Listed], destination: Destination) -> Iterable[Listed]:
    """What is to be done, by the journal that the run would go on from."""
    if destination.store:
        return pending_in(journal_of_store(Path(destination.store)), sources, retry_failed=destination.retry_failed)
    if destination.overwrite or not destination.keeps_journal or destination.is_stream:
        return sources
    place = Path(destination.to[0])
    journal = journal_in(place) if destination.is_folder else journal_beside(place)
    return pending_in(journal, sources, by_relative=destination.is_folder, retry_failed=destination.retry_failed)


def _extents(timed: Extent, untimed: Extent) -> str:
    parts = []
    if timed.recordings:
        parts.append(f"{_recordings(timed)}: {duration(timed.seconds)} of audio")
    if untimed.recordings:
        parts.append(f"{_recordings(untimed)} of {_size(untimed.num_bytes)}, whose length is not known yet")
    return "; ".join(parts) or "nothing"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB" if num_bytes >= 1e6 else f"{num_bytes / 1e3:,.1f} kB"


def _recordings(extent: Extent) -> str:
    return f"{extent.recordings:,} recording{'' if extent.recordings == 1 else 's'}"


def _model(choice: ModelChoice) -> str:
    place = locate(choice.model)
    if not isinstance(place, HubName):
        return choice.model
    is_here = cache.cached(place.repo, place.revision, choice.cache_dir) is not None
    return f"{place.repo}, {'in the cache' if is_here else 'which is to be downloaded'}"


def _pace(destination: Destination) -> float:
    """The speed of an earlier run, where its counts are in the file of `summary`; else 0: nothing is known."""
    try:
        found: Any = json.loads(Path(destination.summary or "").read_bytes())
        return float(found["speed"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
