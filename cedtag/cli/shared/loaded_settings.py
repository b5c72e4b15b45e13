"""`--load-settings RESULTS`: the options of the run that made results, to run again exactly as then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cedtag.cli.shared.options import LOADED, SET_BY, Option
from cedtag.cli.shared.presets import set_default
from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import click

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.writers.run_info import RunInfo

_SAME_NAME = (
    *("window", "hop", "top-k", "labels", "exclude", "watch", "group", "level", "most-specific", "where", "raw"),
    *("backend", "device", "precision", "batch-size", "channel", "track", "start-time", "timezone", "frames"),
)
_OTHER_NAME = {"from_s": "from", "to_s": "to"}
# What follows from the others, belongs to the model, or is said of outputs.
_OTHERS = {"model", "commit", "weights", "config", "preprocessor", "threshold", "thresholds", "refine", "overlaps"}
# Names alone do not change what is scored; the file of names is given again.
_OTHERS |= {"label-language", "layout", "formats", "format", "events"}
_WEIGHTS, _LANGUAGE = "cedtag.loaded_weights", "cedtag.loaded_language"


def load_settings(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    """Make the settings of the run that wrote a file the defaults of the command, before variables."""
    if value is None or ctx.resilient_parsing:
        return value
    if SET_BY in ctx.meta:
        raise InputError("a preset and loaded settings are alternatives; use one of them")
    run = _run_of(Path(value))
    if unknown := run.settings.keys() - _OTHERS - {*_SAME_NAME, *_OTHER_NAME}:
        raise InputError(
            f"{value}: holds the setting {min(unknown)}, which this version does not know; use a newer one"
        )
    options = {name.lstrip("-"): one for one in ctx.command.params if isinstance(one, Option) for name in one.opts}
    for name, setting in _options_of(run, _events_of(Path(value))):
        if name in options:
            set_default(ctx, options[name], f"{value} {name}", setting)
            ctx.meta.setdefault(LOADED, set()).add(options[name].name)
    ctx.meta[_WEIGHTS] = (value, run.settings.get("weights"))
    ctx.meta[_LANGUAGE] = value if "label-language" in run.settings else None
    return value


def lost_names(ctx: click.Context) -> str | None:
    """What to say if the names of classes came from a table then, and come from the model now."""
    if (file := ctx.meta.get(_LANGUAGE)) and not ctx.params["label_names"]:
        table = "its names of classes came from a table, which --label-language names again"
        return f"{file}: {table}; these are the model's"
    return None


def check_weights(ctx: click.Context, checkpoint: Checkpoint) -> None:
    """InputError for a model of other weights than those that the loaded settings were made with."""
    from cedtag.run.settings import sha256_of

    file, weights = ctx.meta.get(_WEIGHTS, (None, None))
    if weights and ctx.params["model"] and LOADED in ctx.meta and sha256_of(checkpoint.weight_files) != weights:
        raise InputError(f"{file}: was made with other weights than {checkpoint.weights} has; use the model of then")


def _run_of(path: Path) -> RunInfo:
    from cedtag.results.read import open_results
    from cedtag.run.journal.open import read_journal
    from cedtag.run.outputs.files import journal_beside
    from cedtag.run.outputs.folder import journal_in
    from cedtag.store import is_score_store

    journal = journal_in(path) if path.is_dir() else journal_beside(path)
    # A table in another layout, or a database, cannot be read as rows, but its journal can.
    has_journal = (path.is_dir() or journal.is_file()) and not is_score_store(path)
    run = read_journal(journal)[0] if has_journal else open_results(path).run
    if run is None or "model" not in run.settings:
        raise InputError(
            f"{path}: holds no settings of a run; use json, jsonl, the journal, or a table with its journal beside it"
        )
    return run


def _events_of(path: Path) -> dict[str, Any]:
    """The settings of the events that a file holds; csv, tsv and journals have none."""
    if path.suffix.lower() not in (".json", ".jsonl"):
        return {}
    with path.open("rb") as file:
        head = json.loads(file.readline() if path.suffix.lower() == ".jsonl" else file.read())
    found = head.get("events")
    return found if isinstance(found, dict) else {}


def _options_of(run: RunInfo, made_of: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The options of a run by name, with their values; `made_of` are the settings of its events, if it shows any."""
    settings, events = run.settings, made_of
    commit = settings.get("commit")
    yield "model", f"{settings['model']}@{commit}" if commit else settings["model"]
    for name in _SAME_NAME:
        if settings.get(name) is not None:
            yield name, settings[name]
    for name, option in _OTHER_NAME.items():
        if name in settings:
            yield option, settings[name]
    mids = _mids(run)
    yield "threshold", [settings["threshold"], *_of_classes(settings.get("thresholds"), mids)]
    if refine := settings.get("refine"):
        yield "refine", refine["window"]
        events = {name: score for name, score in refine.items() if name != "window"} | events
    if made_of:
        yield "events", True
    for name in ("onset", "offset"):
        if name in events:
            yield name, [events[name], *_of_classes(events.get(f"{name}s"), mids)]
    for name in ("min-duration-on", "min-duration-off", "pad-onset", "pad-offset"):
        if name in events:
            yield name, events[name]


def _mids(run: RunInfo) -> dict[str, str]:
    """The MIDs of the classes by the names that a table gave them: options know only the names of the model."""
    return {label.name: label.mid for label in run.labels if label.mid} if "label-language" in run.settings else {}


def _of_classes(scores: Mapping[str, float] | None, mids: Mapping[str, str]) -> list[str]:
    return [f"{mids.get(name, name)}={score}" for name, score in (scores or {}).items()]
