"""What a run can be told, and which of it decides its results."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from cedtag.errors import InputError
from cedtag.inputs.clock import Clock
from cedtag.inputs.search import Search
from cedtag.inputs.slices import Slice
from cedtag.inputs.window_settings import WindowSettings, samples_of
from cedtag.labels.tag_filter import TagFilter
from cedtag.model.config import CedConfig
from cedtag.model.preprocessor import front_end_of
from cedtag.records import LONGEST_S, MIX, SAMPLE_RATE_HZ
from cedtag.run.cluster import Cluster
from cedtag.run.outputs.destination import Destination
from cedtag.scoring import Compute, gives_embeddings
from cedtag.store.facts import LEAST, MAKER, FrameFacts, StoreFacts, written_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cedtag.audio import Decoding
    from cedtag.events.settings import EventSettings
    from cedtag.labels.selection import Selector
    from cedtag.scoring import LoadedModel
    from cedtag.writers.run_info import RunInfo

# The numbers of a config that are only used in training, or follow from the front end and the classes.
_NOT_OF_THE_NETWORK = {
    *("drop_rate", "attn_drop_rate", "drop_path_rate", "eval_avg", "pad_last", "id2label", "label2id", "extra"),
    *("n_fft", "win_size", "hop_size", "f_min", "f_max", "n_mels", "center"),
}
_NOT_IN_OLDER_JOURNALS = ("config", "preprocessor")
# The order of settings in results; what a backend adds to its own comes before "overlaps".
_ORDER = (
    *("model", "commit", "weights", "config", "preprocessor", "window", "hop"),
    *("top-k", "threshold", "thresholds", "labels", "exclude", "group", "level", "most-specific", "where", "watch"),
    *(
        "refine",
        "raw",
        "backend",
        "device",
        "precision",
        "batch-size",
        "overlaps",
        "frames",
        "channel",
        "track",
        "from_s",
        "to_s",
    ),
    *("label-language", "start-time", "timezone"),
)
_RANK = {name: rank for rank, name in enumerate(_ORDER)}


@dataclass(frozen=True, slots=True)
class Reading:
    """How recordings are read.

    `raw` is the format of headerless PCM, such as "s16le,16000,1". A recording is given up when its decoder produces no
    samples for `timeout_s` seconds; 0 waits for ever. `channel` is "mix" (the mean of all), a number from 1, or "each":
    every channel is scored by itself. `track` is the number, from 1, or the language of a sound track. Of a recording
    the part from second `from_s` to second `to_s`, or to its end, is scored.
    """

    raw: str | None = None
    timeout_s: float = 120.0
    channel: str = MIX
    track: str | None = None
    from_s: float = 0.0
    to_s: float | None = None

    @property
    def part(self) -> Slice:
        """What of each recording is scored."""
        return Slice(samples_of(self.from_s), None if self.to_s is None else samples_of(self.to_s))

    @property
    def decoding(self) -> Decoding:
        """The same as values; InputError for what has no meaning."""
        from cedtag.audio import Decoding, Selection, parse_raw_format

        try:
            raw = parse_raw_format(self.raw) if self.raw else None
        except InputError as error:
            raise InputError(f"`raw`: {error}") from error
        return Decoding(raw, selection=Selection(self.channel, self.track))

    def __post_init__(self) -> None:
        if not 0 <= self.timeout_s <= LONGEST_S:
            raise InputError(f"`timeout_s` {self.timeout_s:g}: expected seconds from 0 (for ever) to {LONGEST_S:g}")
        if not 0 <= self.from_s <= LONGEST_S:
            raise InputError(f"`from_s` {self.from_s:g}: expected seconds from 0 to {LONGEST_S:g}")
        if self.to_s is not None and not self.from_s < self.to_s <= LONGEST_S:
            raise InputError(f"`to_s` {self.to_s:g}: expected seconds after `from_s` {self.from_s:g}, to {LONGEST_S:g}")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Everything that a run can be told, one value per group. With `events` it gives events in place of windows."""

    search: Search = field(default_factory=Search)
    reading: Reading = field(default_factory=Reading)
    windows: WindowSettings = field(default_factory=WindowSettings)
    tags: TagFilter = field(default_factory=TagFilter)
    events: EventSettings | None = None
    clock: Clock = field(default_factory=Clock)
    destination: Destination = field(default_factory=Destination)
    compute: Compute = field(default_factory=Compute)
    cluster: Cluster = field(default_factory=Cluster)


@dataclass(frozen=True, slots=True)
class Scoring:
    """How the windows of a run are cut and which tags they get, for the model at hand: lengths in samples.

    `column` is the length of a column of tokens, where columns are scored, too; else 0.
    """

    window: int
    hop: int
    selector: Selector
    events: EventSettings | None = None
    column: int = 0

    @property
    def shows_columns(self) -> bool:
        """Whether columns get tags in place of windows."""
        return self.events is not None and self.column > 0

    @property
    def makes_means(self) -> bool:
        """Whether events are made of the mean over windows that overlap."""
        return self.events is not None and self.hop < self.window and not self.column


def identity(settings: RunSettings, scoring: Scoring, model: LoadedModel) -> dict[str, Any]:
    """The settings that decide the results of a run, by option name: runs with equal ones give equal rows."""
    return with_questions(score_settings(settings, scoring, model), settings, scoring)


def score_settings(settings: RunSettings, scoring: Scoring, model: LoadedModel) -> dict[str, Any]:
    """Those that decide the scores of all classes, and none that a later question can change."""
    made_of = {
        "model": model.checkpoint.name,
        "commit": model.checkpoint.commit,
        "weights": sha256_of(model.checkpoint.weight_files),
        "config": _config_hash(model),
        "preprocessor": _preprocessor_hash(model),
        "window": scoring.window / SAMPLE_RATE_HZ,
        "hop": scoring.hop / SAMPLE_RATE_HZ,
        "refine": _refine(settings, scoring),
        "raw": settings.reading.raw,
        **model.scorer.settings,
    }
    if scoring.shows_columns:
        made_of["frames"] = True
    if settings.reading.channel != MIX:
        made_of["channel"] = settings.reading.channel
    if settings.reading.track is not None:
        made_of["track"] = settings.reading.track
    if settings.reading.from_s:
        made_of["from_s"] = settings.reading.from_s
    if settings.reading.to_s is not None:
        made_of["to_s"] = settings.reading.to_s
    return made_of


def with_questions(scored: Mapping[str, Any], settings: RunSettings, scoring: Scoring) -> dict[str, Any]:
    """The settings of results that are made of scores which were made with `scored`; always in one order."""
    made_of = {**scored, **tag_settings(settings.tags, scoring.selector)}
    if scoring.makes_means:
        made_of["overlaps"] = "whole"  # rows hold the scores below the threshold, too, that the mean needs
    if settings.tags.label_names:
        made_of["label-language"] = _hash_of(dict(settings.tags.label_names))[:16]
    if not settings.clock.is_off:
        made_of |= {"start-time": settings.clock.start_time, "timezone": settings.clock.timezone}
    return dict(sorted(made_of.items(), key=lambda setting: _RANK.get(setting[0], _RANK["overlaps"])))


def store_facts(settings: RunSettings, scoring: Scoring, model: LoadedModel) -> StoreFacts:
    """The facts of a store for the scores of a run; start times are kept with its recordings."""
    scorer, clock = model.scorer, settings.clock
    asked = (*MAKER, "frames")  # which is said by other facts
    made_of = {name: value for name, value in score_settings(settings, scoring, model).items() if name not in asked}
    if not clock.is_off:
        made_of |= {"start-time": clock.start_time, "timezone": clock.timezone}
    size = None
    if settings.destination.embeddings:
        if not gives_embeddings(scorer):
            raise InputError(
                f"`store`: `backend` {scorer.settings['backend']} gives no embeddings; leave `embeddings` off"
            )
        size = scorer.embedding_size
    frames = FrameFacts(scoring.column, LEAST) if scoring.column else None
    return StoreFacts(json.loads(json.dumps(made_of)), scorer.labels, size, written_by(scorer.settings), frames)


def tag_settings(tags: TagFilter, selector: Selector) -> dict[str, Any]:
    """The settings that decide which tags windows get, by option name."""
    kept = selector.grouping.labels
    threshold, special = _most_frequent(selector.thresholds.tolist())
    return {
        "top-k": selector.top_k,
        "threshold": threshold,
        "thresholds": {kept[place].name: value for place, value in special.items()},
        "labels": list(tags.labels),
        "exclude": list(tags.exclude),
        "group": tags.group,
        "level": tags.depth,
        "most-specific": tags.most_specific,
        "where": tags.where,
        "watch": list(tags.watch),
    }


def _refine(settings: RunSettings, scoring: Scoring) -> dict[str, Any] | None:
    """What decides which windows are scored again, and how: where windows are refined, onsets change rows."""
    if settings.windows.refine_s is None:
        return None
    assert scoring.events is not None
    onsets = {name: value for name, value in scoring.events.to_dict().items() if name in ("onset", "onsets")}
    return {"window": settings.windows.refine_s, **onsets}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One phrase per setting that differs, such as "`window` was 10.0 and is now 5.0".

    What older journals do not hold is not known of them, and is no difference.
    """
    unknown = [name for name in _NOT_IN_OLDER_JOURNALS if name not in before or name not in now]
    names = [name for name in dict.fromkeys([*before, *now]) if name not in unknown]
    return [
        f"`{name}` was {before.get(name)!s} and is now {now.get(name)!s}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def run_differences(before: RunInfo, now: RunInfo) -> list[str]:
    """One phrase per setting that differs, and one for other classes."""
    changed = differences(before.settings, json.loads(json.dumps(dict(now.settings))))
    classes = [[(label.index, label.mid, label.name) for label in run.labels] for run in (before, now)]
    return changed if changed or classes[0] == classes[1] else ["the classes of the model were others"]


def _config_hash(model: LoadedModel) -> str:
    """A hash of the network and its classes, however its file is written."""
    file = model.checkpoint.config
    config = None if file is None else CedConfig.from_file(file)
    network = {} if config is None else {entry.name: getattr(config, entry.name) for entry in fields(config)}
    network = {name: value for name, value in network.items() if name not in _NOT_OF_THE_NETWORK}
    return _hash_of([network, [[label.index, label.mid, label.name] for label in model.scorer.labels]])


def _preprocessor_hash(model: LoadedModel) -> str:
    """A hash of the front end, from whichever file of the checkpoint it comes."""
    return _hash_of(asdict(front_end_of(model.checkpoint)))


def _hash_of(value: object) -> str:
    return hashlib.sha256(json.dumps(_as_floats(value), sort_keys=True).encode()).hexdigest()


def _as_floats(value: object) -> object:
    """The value with every number as a float: 8000 and 8000.0 are one frequency."""
    if isinstance(value, dict):
        return {name: _as_floats(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_as_floats(entry) for entry in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _most_frequent(values: list[float]) -> tuple[float, dict[int, float]]:
    """The most frequent value, and the places that have another."""
    usual = max(values, key=values.count) if len(set(values)) > 1 else values[0]
    return usual, {place: value for place, value in enumerate(values) if value != usual}


def sha256_of(files: Iterable[Path]) -> str:
    """The hash of the contents of files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as weights:
            while chunk := weights.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
