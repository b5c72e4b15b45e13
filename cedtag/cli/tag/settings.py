"""Which tags are shown, and the settings that make them what they are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from cedtag.cli.shared.event_options import event_settings
from cedtag.cli.shared.options import samples_of
from cedtag.errors import InputError
from cedtag.inputs.sources import STDIN
from cedtag.labels.groups import ontology
from cedtag.labels.selection import Selector, TagFilter, selector_of
from cedtag.records import SAMPLE_RATE_HZ
from cedtag.run.refinement import Refinement
from cedtag.writers.run_info import RunInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.cli.tag import Options
    from cedtag.events.settings import EventSettings
    from cedtag.labels.table import Label
    from cedtag.records import ScoredWindow, Source
    from cedtag.run.pipeline import Plan, Recording
    from cedtag.scoring import Scorer

DEFAULT_THRESHOLD = 0.1
DEFAULT_TOP_K = 5


def selection_of(
    options: Options, checkpoint: Checkpoint, scorer: Scorer, window_and_hop: tuple[int, int]
) -> tuple[Selector, RunInfo]:
    """Which tags are shown, and the settings that make the results."""
    events = event_settings_of(options, scorer.labels) if options.events else None
    top_k = options.top_k if options.top_k is not None else DEFAULT_TOP_K if events is None else 0
    wanted = TagFilter(
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
    return selector, RunInfo(settings, kept, options.layout, events)


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
