"""`cedtag store`: what a store of scores holds, and its upkeep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cedtag.cli.shared.common_options import note
from cedtag.cli.shared.options import Option
from cedtag.cli.shared.table import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cedtag.store.inspect import StoreInfo

STORE = click.argument("store", type=click.Path(path_type=Path), metavar="STORE")


def format_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --format, for programs."""
    return click.option(
        "-f",
        "--format",
        "format_name",
        type=click.Choice(["text", "json"]),
        default="text",
        help="text, or json for programs.  [default: text]",
        cls=Option,
    )(function)


@click.group("store")
def command() -> None:
    """Show, verify, compact and edit what `cedtag tag --store STORE` has written."""


@command.command()
@STORE
@format_option
def info(store: Path, format_name: str) -> None:
    """Show what STORE holds: recordings, windows, hours, settings, and who has written it."""
    from cedtag.store import open_store
    from cedtag.store.inspect import store_info

    open_store(store)
    found = store_info(store)
    if format_name == "json":
        click.echo(json.dumps(found.to_dict(), indent=1))
        return
    lines = list(_lines(found))
    width = max(len(subject) for subject, _ in lines)
    for subject, text in lines:
        click.echo(f"{subject:<{width}}  {text}")


@command.command()
@STORE
@format_option
def verify(store: Path, format_name: str) -> int:
    """Read all of STORE, every page with its checksum.

    Exit code 1 where a part is damaged, missing, or of another run; each is named.
    """
    from cedtag.store import open_store
    from cedtag.store.inspect import verify

    open_store(store)
    faults = list(verify(store))
    if format_name == "json":
        rows = [{"part": one.part, "fault": one.fault, "recordings": one.recordings} for one in faults]
        click.echo(json.dumps(rows, indent=1))
    elif faults:
        header = ("part", "recordings", "fault")
        show(header, [(one.part, "" if one.recordings is None else str(one.recordings), one.fault) for one in faults])
    if not faults:
        note(f"{store}: every part is sound")
    return 1 if faults else 0


@command.command()
@STORE
def compact(store: Path) -> None:
    """Write STORE anew in listing order, in parts of full size.

    Worth it after many small runs, and after shards were copied together. Until the end there are two copies of the
    store on the disk; stopped at any moment, nothing is lost.
    """
    from cedtag.store import open_store
    from cedtag.store.upkeep import compact_store

    before = len(open_store(store).part_names)
    parts = compact_store(store)
    note(f"{store}: {_counted(parts, 'part')} in the place of {before:,}")


@command.command()
@STORE
@click.argument("recordings", nargs=-1, metavar="RECORDING...")
@click.option("--missing", is_flag=True, help="Forget recordings whose files are gone.", cls=Option)
@click.option("--damaged", is_flag=True, help="Forget all recordings in parts that cannot be read.", cls=Option)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.", cls=Option)
def forget(store: Path, recordings: tuple[str, ...], missing: bool, damaged: bool, yes: bool) -> None:
    """Take recordings out of STORE, with all their scores.

    RECORDING is a name as in results, or a path: of a recording, or of a folder for all in it. The command that has
    filled the store tags again what it still finds.
    """
    from cedtag.store import open_store, upkeep

    if bool(recordings) + missing + damaged != 1:
        raise click.UsageError("name recordings or folders, or use one of --missing and --damaged")
    opened = open_store(store)
    if damaged:
        _forget_damaged(store, yes=yes)
        return
    found = upkeep.missing_recordings(opened) if missing else upkeep.recordings_named(opened, recordings)
    if found and not yes:
        click.confirm(
            f"Forget {_counted(len(found), 'recording')} of {len(opened):,} in {store}?", abort=True, err=True
        )
    upkeep.forget(store, {one.id for one in found})
    note(f"{store}: {_counted(len(found), 'recording')} forgotten, {len(opened) - len(found):,} left")


def _forget_damaged(store: Path, *, yes: bool) -> None:
    from cedtag.store import upkeep

    if not yes:
        click.confirm(f"Remove the parts of {store} that cannot be read?", abort=True, err=True)
    names = upkeep.forget_damaged(store)
    parts = f": {', '.join(names)}" if names else ""
    note(f"{store}: {_counted(len(names), 'damaged part')} removed{parts}")


def _lines(info: StoreInfo) -> Iterator[tuple[str, str]]:
    """Each subject, and what is said of it."""
    from cedtag.run.summary import duration
    from cedtag.store.facts import maker_words

    names = {"ok": "done", "partial": "partial", "failed": "failed"}
    counts = [f"{info.recordings[status]:,} {name}" for status, name in names.items() if info.recordings.get(status)]
    yield "recordings", ", ".join(counts) or "none"
    yield "windows", f"{info.windows:,}; {duration(info.audio_s)} of audio"
    yield "classes", f"{len(info.facts.labels):,}"
    size = info.facts.embedding_size
    yield "embeddings", "none" if size is None else f"{size} numbers"
    if info.facts.frames is not None:
        yield "frames", f"columns of {info.facts.frames.samples / 16:g} ms, scores from {info.facts.frames.least:g}"
    yield "parts", f"{info.parts:,}, {info.num_bytes / 1e6:,.1f} MB"
    if info.open_parts:
        yield "unfinished", "a run goes on or was killed; what it has not made a part of is not counted"
    for maker in info.written_by:
        yield "written by", f"{maker_words(maker)}, cedtag {maker.get('version', 'of unknown version')}"
    yield from _settings(info.facts.settings)


def _settings(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if value is not None and name not in ("weights", "config", "preprocessor"):
            yield name, f"{value:g}" if isinstance(value, float) else str(value)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
